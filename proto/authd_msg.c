#include "proto/authd_msg.h"

#include "core/base/check.h"

enum { HEAD_BYTES = 8, HELLO_BYTES = 8, CANCEL_BYTES = 8, JSON_HEAD_BYTES = 12 };
static const char magic_text[] = {'R', 'M'}; /* of HELLO: whoever speaks another language is found out at once */

static const struct authd_reason_row reasons[] = {
#define AUTHD_REASON(name, text, mend) {#name, text, mend},
#include "proto/authd_reasons.def"
#undef AUTHD_REASON
};

const struct authd_reason_row *authd_reason_row(enum authd_reason reason)
{
	CHECK((unsigned)reason < AUTHD_REASON_COUNT);
	return &reasons[reason];
}

/* ---- numbers and bytes, from and to ---- */

struct reader {
	struct slice left;
	bool broken; /* something was missing; what was read then is zero */
};

static uint64_t read_number(struct reader *r, size_t bytes)
{
	uint64_t value = 0;
	if (r->left.len < bytes) {
		r->broken = true;
		return 0;
	}
	for (size_t i = 0; i < bytes; i++)
		value |= (uint64_t)(uint8_t)r->left.at[i] << (8 * i);
	r->left = slice_from(r->left, bytes);
	return value;
}

static struct slice read_bytes(struct reader *r, size_t length_bytes, size_t max)
{
	size_t n = (size_t)read_number(r, length_bytes);
	if (r->broken || n > max || n > r->left.len) {
		r->broken = true;
		return slice_of(NULL, 0);
	}
	struct slice got = slice_until(r->left, n);
	r->left = slice_from(r->left, n);
	return got;
}

static void write_number(char **at, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		*(*at)++ = (char)(value >> (8 * i));
}

static void write_bytes(char **at, struct slice s, size_t length_bytes)
{
	write_number(at, s.len, length_bytes);
	if (s.len)
		memcpy(*at, s.at, s.len);
	*at += s.len;
}

/* ---- rules that reading and writing share ---- */

static bool is_printable(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] < 0x20 || s.at[i] > 0x7e)
			return false;
	return true;
}

/* No control characters; UTF-8 is not looked into. */
static bool is_name(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((uint8_t)s.at[i] < 0x20 || s.at[i] == 0x7f)
			return false;
	return s.len <= AUTHD_NAME_BYTES;
}

static const char *wrong_with_request(const struct authd_request *q)
{
	if (q->token.len == 0 || q->token.len > AUTHD_TOKEN_BYTES)
		return "a request's token is empty or too long";
	if (q->binding.len > AUTHD_BINDING_BYTES)
		return "a request's channel binding is too long";
	if (q->flags & ~(AUTHD_OVER_TLS | AUTHD_BINDING_REQUIRED))
		return "a request has flags that nobody knows";
	if (q->flags & AUTHD_BINDING_REQUIRED && (q->binding.len == 0 || !(q->flags & AUTHD_OVER_TLS)))
		return "a request wants a channel binding and names none";
	return NULL;
}

static const char *wrong_with_reply(const struct authd_reply *r)
{
	if (r->outcome < AUTHD_DONE || r->outcome > AUTHD_REFUSED || r->reason >= AUTHD_REASON_COUNT)
		return "a reply's outcome or reason is not known";
	if ((r->reason != AUTHD_NONE) != (r->outcome == AUTHD_REFUSED))
		return "a reply's outcome and reason disagree";
	if ((r->conversation != 0) != (r->outcome == AUTHD_CONTINUE) ||
	    (r->outcome == AUTHD_CONTINUE && r->answer.len == 0))
		return "a reply's outcome and conversation disagree";
	if (r->answer.len > AUTHD_TOKEN_BYTES || r->detail.len > AUTHD_DETAIL_BYTES || !is_printable(r->detail))
		return "a reply's answer or detail is too long or not printable";
	if (!is_name(r->account) || !is_name(r->principal))
		return "a reply's account is too long or not printable";
	if (r->outcome != AUTHD_DONE)
		return r->mechanism || r->until_s || r->account.len || r->principal.len || !sid_is_none(&r->sid) ||
		                       r->sids.len || r->sid_count
		               ? "a reply that is not DONE names an account"
		               : NULL;
	if ((r->mechanism != AUTHD_KERBEROS && r->mechanism != AUTHD_NTLM) || r->account.len == 0 || r->until_s == 0)
		return "a DONE reply lacks a mechanism, an account or an end";
	if (sid_is_none(&r->sid) != (r->sid_count == 0) || !sid_set_is_valid(r->sids, r->sid_count))
		return "a reply's SIDs are not a set";
	return NULL;
}

/* ---- reading ---- */

static const char *read_hello(struct reader *r, struct authd_hello *out)
{
	if (r->left.len < sizeof(magic_text) || memcmp(r->left.at, magic_text, sizeof(magic_text)) != 0)
		return "the other side does not speak this protocol";
	read_number(r, sizeof(magic_text));
	out->version = (uint16_t)read_number(r, 2);
	out->features = (uint32_t)read_number(r, 4);
	if (!r->broken && out->version != AUTHD_VERSION)
		return "the other side is of another version";
	return NULL;
}

static const char *read_request(struct reader *r, struct authd_request *out)
{
	out->id = read_number(r, 8);
	out->conversation = read_number(r, 8);
	out->origin = read_number(r, 8);
	out->wait_ms = (uint32_t)read_number(r, 4);
	out->flags = (uint8_t)read_number(r, 1);
	out->binding = read_bytes(r, 1, AUTHD_BINDING_BYTES);
	out->token = read_bytes(r, 4, AUTHD_TOKEN_BYTES);
	return r->broken ? NULL : wrong_with_request(out);
}

static const char *read_reply(struct reader *r, struct authd_reply *out)
{
	out->id = read_number(r, 8);
	uint64_t outcome = read_number(r, 1), reason = read_number(r, 1), mechanism = read_number(r, 1);
	out->outcome = (enum authd_outcome)outcome;
	out->reason = (enum authd_reason)reason;
	out->mechanism = (enum authd_mechanism)mechanism;
	out->conversation = read_number(r, 8);
	out->until_s = read_number(r, 8);
	out->answer = read_bytes(r, 4, AUTHD_TOKEN_BYTES);
	out->detail = read_bytes(r, 2, AUTHD_DETAIL_BYTES);
	out->account = read_bytes(r, 2, AUTHD_NAME_BYTES);
	out->principal = read_bytes(r, 2, AUTHD_NAME_BYTES);
	struct slice sid = read_bytes(r, 1, SID_BYTES_MAX);
	out->sid_count = (uint32_t)read_number(r, 2);
	out->sids = read_bytes(r, 4, SID_SET_MAX * SID_BYTES_MAX);
	out->sid = (struct sid){0};
	if (r->broken || (sid.len && sid_read(sid, &out->sid) != sid.len)) {
		r->broken = true;
		return NULL;
	}
	return wrong_with_reply(out);
}

static const char *read_json(struct reader *r, struct authd_json *out)
{
	out->id = read_number(r, 8);
	out->text = read_bytes(r, 4, AUTHD_JSON_BYTES);
	return !r->broken && out->text.len == 0 ? "an ask or its answer is empty" : NULL;
}

const char *authd_msg_read(struct slice bytes, struct authd_msg *out, size_t *used)
{
	*used = 0;
	struct reader head = {.left = bytes};
	uint64_t length = read_number(&head, 4), type = read_number(&head, 2), zero = read_number(&head, 2);
	if (bytes.len >= 4 && (length < HEAD_BYTES - 4 || length > AUTHD_MSG_BYTES - 4))
		return "a message has an impossible length";
	if (head.broken)
		return NULL;
	static const uint32_t longest[] = {[AUTHD_HELLO] = HEAD_BYTES + HELLO_BYTES,
	                                   [AUTHD_REQUEST] = AUTHD_REQUEST_BYTES,
	                                   [AUTHD_REPLY] = AUTHD_REPLY_BYTES,
	                                   [AUTHD_CANCEL] = HEAD_BYTES + CANCEL_BYTES,
	                                   [AUTHD_ASK] = AUTHD_MSG_BYTES,
	                                   [AUTHD_TOLD] = AUTHD_MSG_BYTES};
	if (type < AUTHD_HELLO || type > AUTHD_TOLD || zero || length + 4 > longest[type])
		return "a message is of no known type or too long for it";
	if (bytes.len < length + 4)
		return NULL;
	struct reader r = {.left = slice_of(head.left.at, (size_t)length + 4 - HEAD_BYTES)};
	const char *wrong = NULL;
	out->type = (enum authd_type)type;
	switch (out->type) {
	case AUTHD_HELLO:
		wrong = read_hello(&r, &out->hello);
		break;
	case AUTHD_REQUEST:
		wrong = read_request(&r, &out->request);
		break;
	case AUTHD_REPLY:
		wrong = read_reply(&r, &out->reply);
		break;
	case AUTHD_CANCEL:
		out->cancel.conversation = read_number(&r, 8);
		wrong = !r.broken && out->cancel.conversation == 0 ? "a cancel names no conversation" : NULL;
		break;
	case AUTHD_ASK:
		wrong = read_json(&r, &out->ask);
		break;
	case AUTHD_TOLD:
		wrong = read_json(&r, &out->told);
		break;
	}
	if (!wrong && (r.broken || r.left.len))
		wrong = "a message is shorter or longer than its fields";
	if (!wrong)
		*used = (size_t)length + 4;
	return wrong;
}

/* ---- writing ---- */

static size_t json_bytes(const struct authd_json *j)
{
	return j->text.len == 0 || j->text.len > AUTHD_JSON_BYTES ? 0 : HEAD_BYTES + JSON_HEAD_BYTES + j->text.len;
}

size_t authd_msg_bytes(const struct authd_msg *m)
{
	const struct authd_request *q = &m->request;
	const struct authd_reply *r = &m->reply;
	switch (m->type) {
	case AUTHD_HELLO:
		return HEAD_BYTES + HELLO_BYTES;
	case AUTHD_CANCEL:
		return m->cancel.conversation ? HEAD_BYTES + CANCEL_BYTES : 0;
	case AUTHD_REQUEST:
		return wrong_with_request(q) ? 0 : HEAD_BYTES + 34 + q->binding.len + q->token.len;
	case AUTHD_REPLY:
		return wrong_with_reply(r)
		               ? 0
		               : HEAD_BYTES + 44 + r->answer.len + r->detail.len + r->account.len + r->principal.len +
		                         (sid_is_none(&r->sid) ? 0 : sid_bytes(&r->sid)) + r->sids.len;
	case AUTHD_ASK:
		return json_bytes(&m->ask);
	case AUTHD_TOLD:
		return json_bytes(&m->told);
	}
	return 0;
}

static void write_json(const struct authd_json *j, char **at)
{
	write_number(at, j->id, 8);
	write_bytes(at, j->text, 4);
}

static void write_reply(const struct authd_reply *r, char **at)
{
	write_number(at, r->id, 8);
	write_number(at, r->outcome, 1);
	write_number(at, r->reason, 1);
	write_number(at, r->mechanism, 1);
	write_number(at, r->conversation, 8);
	write_number(at, r->until_s, 8);
	write_bytes(at, r->answer, 4);
	write_bytes(at, r->detail, 2);
	write_bytes(at, r->account, 2);
	write_bytes(at, r->principal, 2);
	write_bytes(at, slice_of((const char *)r->sid.bytes, sid_is_none(&r->sid) ? 0 : sid_bytes(&r->sid)), 1);
	write_number(at, r->sid_count, 2);
	write_bytes(at, r->sids, 4);
}

void authd_msg_write(const struct authd_msg *m, char *out)
{
	char *at = out;
	size_t n = authd_msg_bytes(m);
	CHECK(n > 0);
	write_number(&at, n - 4, 4);
	write_number(&at, m->type, 2);
	write_number(&at, 0, 2);
	switch (m->type) {
	case AUTHD_HELLO:
		memcpy(at, magic_text, sizeof(magic_text));
		at += sizeof(magic_text);
		write_number(&at, m->hello.version, 2);
		write_number(&at, m->hello.features, 4);
		break;
	case AUTHD_REQUEST:
		write_number(&at, m->request.id, 8);
		write_number(&at, m->request.conversation, 8);
		write_number(&at, m->request.origin, 8);
		write_number(&at, m->request.wait_ms, 4);
		write_number(&at, m->request.flags, 1);
		write_bytes(&at, m->request.binding, 1);
		write_bytes(&at, m->request.token, 4);
		break;
	case AUTHD_REPLY:
		write_reply(&m->reply, &at);
		break;
	case AUTHD_CANCEL:
		write_number(&at, m->cancel.conversation, 8);
		break;
	case AUTHD_ASK:
		write_json(&m->ask, &at);
		break;
	case AUTHD_TOLD:
		write_json(&m->told, &at);
		break;
	}
	CHECK(at == out + n);
}
