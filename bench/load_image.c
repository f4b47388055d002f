#include "bench/load_image.h"

#include <stdio.h>
#include <stdlib.h>

enum { CHUNK_BYTES = 8192 };

struct err load_callers_make(struct load_callers *c)
{
	*c = (struct load_callers){0};
	TRY(crypto_key_make(&c->key));
	for (int i = 0; i < CALLER_COUNT; i++) {
		char account[64];
		snprintf(account, sizeof(account), "%s01@contoso.example",
		         i ? load_caller_name((enum load_caller)i) : "load");
		struct rms_caller_options options = {.account = account, .key = c->key};
		TRY(rms_caller_new(&options, &c->of[i]));
	}
	return OK;
}

void load_callers_done(struct load_callers *c)
{
	for (int i = 0; i < CALLER_COUNT; i++)
		rms_caller_free(c->of[i]);
	crypto_key_free(c->key);
	*c = (struct load_callers){0};
}

static const char *user_agent(enum load_caller caller)
{
	switch (caller) {
	case CALLER_EXCHANGE: /* .NET's own, which Exchange does not change */
		return "Mozilla/4.0 (compatible; MSIE 6.0; MS Web Services Client Protocol 4.0.30319.42000)";
	case CALLER_SHAREPOINT:
		return "MSIPC;version=1.0.3403.1224;AppName=w3wp.exe;AppVersion=16.0.10417.20018;AppArch=x64;OSName="
		       "Windows;"
		       "OSVersion=10.0.17763;OSArch=amd64";
	case CALLER_FCI:
		return "MSDRM";
	default:
		return "rms-load";
	}
}

static void write_chunks(struct text *out, struct slice body)
{
	while (body.len) {
		size_t n = body.len < CHUNK_BYTES ? body.len : CHUNK_BYTES;
		text_format(out, "%zx\r\n", n);
		text_add(out, slice_until(body, n));
		text_add_str(out, "\r\n");
		body = slice_from(body, n);
	}
	text_add_str(out, "0\r\n\r\n");
}

void load_image_write(struct text *out, size_t *head_len, const struct load_options *o, const struct load_target *to,
                      enum load_caller caller, enum rms_op_id op, unsigned path, struct slice body)
{
	size_t start = out->len;
	bool agent_given = false;
	for (size_t i = 0; i < o->header_count; i++)
		agent_given |= slice_equal_nocase(slice_until(o->headers[i], 11), SLICE("user-agent:"));
	text_format(out, "POST %s HTTP/1.1\r\n", rms_request_path(op, path));
	if (o->sized && caller == CALLER_FIXED) /* rms-cloud-sim answers with that many bytes */
		text_format(out, "User-Agent: rms-load answer=%zu\r\n", o->answer_bytes);
	else if (!agent_given)
		text_format(out, "User-Agent: %s\r\n", user_agent(caller));
	rms_request_headers(out, op, SOAP_11);
	text_format(out, "Host: %s\r\n", to->authority);
	for (size_t i = 0; i < o->header_count; i++) {
		text_add(out, o->headers[i]);
		text_add_str(out, "\r\n");
	}
	bool empty = !body.at, chunked = o->chunked && !empty;
	if (o->expect_continue && !empty)
		text_add_str(out, "Expect: 100-continue\r\n");
	if (chunked)
		text_add_str(out, "Transfer-Encoding: chunked\r\n\r\n");
	else
		text_format(out, "Content-Length: %zu\r\n\r\n", body.len);
	*head_len = out->len - start;
	if (chunked)
		write_chunks(out, body);
	else
		text_add(out, body);
}

/* A message of exactly so many bytes with the right first element, for measuring; only rms-cloud-sim's measuring mode understands it. */
static bool write_sized(struct text *out, enum rms_op_id op, size_t bytes)
{
	struct slice action = rms_ops[op].action;
	struct slice namespace = slice_until(action, action.len - rms_ops[op].name.len - 1);
	size_t start = out->len;
	text_add_str(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<soap:Envelope xmlns:soap=\""
	                  "http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>");
	text_format(out, "<%.*s xmlns=\"%.*s\"><Padding>", SLICE_ARG(rms_ops[op].name), SLICE_ARG(namespace));
	struct text end = {0};
	text_format(&end, "</Padding></%.*s></soap:Body></soap:Envelope>", SLICE_ARG(rms_ops[op].name));
	size_t natural = out->len - start + end.len;
	if (natural <= bytes) {
		char *padding = text_grow(out, bytes - natural);
		for (size_t i = 0; i < bytes - natural; i++)
			padding[i] = (char)('a' + i % 26);
		text_add(out, text_slice(&end));
	}
	text_free(&end);
	return natural <= bytes;
}

static size_t items_of(enum rms_op_id op, const struct load_size *size)
{
	return op == OP_ACQUIRE_PRELICENSE ? size->recipients : op == OP_ACQUIRE_TEMPLATES ? size->templates : 1;
}

/* Where a place in the body is in the message, once it is in chunks. */
static size_t place_in_chunks(size_t at, size_t body_len)
{
	size_t moved = 0;
	for (size_t start = 0; start <= at; start += CHUNK_BYTES) {
		size_t n = body_len - start < CHUNK_BYTES ? body_len - start : CHUNK_BYTES;
		moved += (size_t)snprintf(NULL, 0, "%zx\r\n", n) + (start ? 2 : 0);
	}
	return at + moved;
}

void load_expected_read(struct load_expected *e, struct slice body)
{
	*e = (struct load_expected){0};
	struct xrml x;
	for (size_t at = 0, n = 0; xrml_next(body, &at, &x); n++) {
		if (n == 0)
			snprintf(e->account, sizeof(e->account), "%.*s", SLICE_ARG(x.subject_name));
		if (slice_starts_with(x.type, SLICE("Microsoft Rights Label")) && !e->work[0])
			snprintf(e->work, sizeof(e->work), "%.*s", SLICE_ARG(x.work_guid));
	}
}

const char *load_expected_check(const struct load_expected *e, enum rms_op_id op, struct slice answer)
{
	struct xrml x;
	size_t at = 0;
	if (op != OP_ACQUIRE_LICENSE && op != OP_ACQUIRE_PRELICENSE)
		return NULL;
	while (xrml_next(answer, &at, &x)) { /* a part that failed holds no licence; that is counted elsewhere */
		if (!slice_equal(x.type, SLICE("Content-License")))
			continue;
		if (!slice_equal(x.work_guid, slice_str(e->work)))
			return "the licence is for another document than the one asked for";
		if (op == OP_ACQUIRE_LICENSE && !slice_equal(x.subject_name, slice_str(e->account)))
			return "the licence is for another account than the one that asked";
	}
	return NULL;
}

static bool add_one(struct load_image_set *set, const struct load_options *o, const struct load_callers *callers,
                    const struct load_target *to, enum load_caller caller, enum rms_op_id op,
                    const struct load_size *size, unsigned path)
{
	struct text body = {0}, whole = {0};
	size_t serial_at = SIZE_MAX;
	bool fits = true;
	if (caller == CALLER_FIXED && o->sized) {
		fits = write_sized(&body, op, o->request_bytes);
	} else {
		struct rms_request_options options = {.soap = SOAP_11,
		                                      .items = (unsigned)items_of(op, size),
		                                      .bytes = size->request_bytes,
		                                      .serial = 1 + set->count}; /* also picks the document */
		serial_at = rms_request_make(&body, callers->of[caller], op, &options);
	}
	if (fits) {
		struct load_image *image = &set->sizes[set->count++];
		load_image_write(&whole, &image->head_len, o, to, caller, op, path, text_slice(&body));
		bool batch = op == OP_ACQUIRE_LICENSE || op == OP_ACQUIRE_PRELICENSE || op == OP_ACQUIRE_TEMPLATES;
		image->items = batch && !(caller == CALLER_FIXED && o->sized) ? items_of(op, size) : 0;
		load_expected_read(&image->expected, text_slice(&body));
		image->serial_at = SIZE_MAX;
		if (serial_at != SIZE_MAX && o->chunked) {
			/* digits that a chunk's end cuts in two stay as they are */
			if (serial_at / CHUNK_BYTES == (serial_at + 15) / CHUNK_BYTES)
				image->serial_at = image->head_len + place_in_chunks(serial_at, body.len);
		} else if (serial_at != SIZE_MAX) {
			image->serial_at = image->head_len + serial_at;
		}
		image->bytes = whole.at; /* given away */
		image->len = whole.len;
		if (o->auth) {
			struct text empty = {0};
			size_t ignored;
			load_image_write(&empty, &ignored, o, to, caller, op, path, (struct slice){0});
			image->empty = empty.at; /* given away */
			image->empty_len = empty.len;
		}
	}
	text_free(&body);
	return fits;
}

bool load_images_add(struct load_images *images, const struct load_options *o, const struct load_callers *callers,
                     const struct load_profile *p, char *words, size_t cap)
{
	struct load_size sizes[LOAD_SIZES_MAX];
	for (int i = 0; i < OP_NONE; i++) {
		enum rms_op_id op = (enum rms_op_id)i;
		if (!load_profile_uses(p, op))
			continue;
		size_t count = load_sizes_of(p->caller, op, o, sizes);
		/* what is served in two places is asked in both; the machine's own certificate only where machines ask */
		bool both = count == 1 && p->caller != CALLER_FIXED && op != OP_CERTIFY && rms_request_path(op, 1);
		for (size_t t = 0; t < o->target_count; t++) {
			struct load_image_set *set = &images->sets[t][p->caller][op];
			bool fits = true;
			for (size_t s = 0; s < count; s++)
				fits = add_one(set, o, callers, &o->targets[t], p->caller, op, &sizes[s], 0);
			if (both)
				fits = add_one(set, o, callers, &o->targets[t], p->caller, op, &sizes[0], 1);
			if (!fits) {
				snprintf(words, cap,
				         "--request-bytes %zu: even an empty %.*s is larger; give at least 400",
				         o->request_bytes, SLICE_ARG(rms_ops[op].name));
				return false;
			}
		}
	}
	return true;
}

void load_images_free(struct load_images *images)
{
	if (!images)
		return;
	for (size_t t = 0; t < LOAD_TARGETS_MAX; t++)
		for (size_t c = 0; c < CALLER_COUNT; c++)
			for (size_t op = 0; op < OP_COUNT; op++)
				for (size_t i = 0; i < images->sets[t][c][op].count; i++) {
					free(images->sets[t][c][op].sizes[i].bytes);
					free(images->sets[t][c][op].sizes[i].empty);
				}
	free(images);
}

struct load_image *load_images_next(struct load_images *images, size_t target, enum load_caller caller,
                                    enum rms_op_id op)
{
	struct load_image_set *set = &images->sets[target][caller][op];
	struct load_image *image = &set->sizes[set->next];
	if (++set->next >= set->count)
		set->next = 0;
	return image;
}
