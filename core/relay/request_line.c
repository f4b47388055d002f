#include "core/relay/request_line.h"

#include "core/base/json_line.h"
#include "core/relay/authn.h"
#include "core/relay/recall.h"

enum { LINE_BYTES = 2048 };

static void put_caller(struct json_line *j, const struct exchange *x)
{
	static const char *const mechanisms[] = {[AUTHD_KERBEROS] = "kerberos", [AUTHD_NTLM] = "ntlm"};
	const struct loopback_caller *caller = &x->relay->settings->loopback_caller;
	if (caller->account) {
		json_line_text(j, "account", slice_str(caller->account));
		json_line_text(j, "role", slice_str(caller->role));
		return;
	}
	if (x->client->proven && x->step > STEP_AUTHENTICATE) {
		const struct principal *who = x->client->who;
		json_line_text(j, "account", slice_str(who->account));
		if (who->sid_text[0])
			json_line_text(j, "sid", slice_str(who->sid_text));
		json_line_text(j, "mechanism", slice_str(mechanisms[who->how]));
		if (who->decision_id) {
			char id[DECISION_ID_TEXT_BYTES];
			decision_id_print(who->decision_id, id);
			json_line_text(j, "decision", slice_str(id));
		}
		if (x->authorized) {
			char entry[2 * AUTHLIST_ENTRY_ID_BYTES];
			for (size_t i = 0; i < sizeof(entry); i++)
				entry[i] =
				        "0123456789abcdef"[who->decision.entry_id.bytes[i / 2] >> (i % 2 ? 0 : 4) & 15];
			json_line_text(j, "role", slice_str(authlist_role_word(who->decision.role)));
			json_line_text(j, "entry", slice_of(entry, sizeof(entry)));
		}
	}
	if (x->authn && x->authn->detail)
		json_line_text(j, "authentication", slice_str(x->authn->detail));
}

void request_line_write(struct exchange *x, enum err_effect effect)
{
	static const char *const effects[EFFECT_COUNT] = {"ok", "deferred", "final"};
	struct relay *r = x->relay;
	if (!x->service && !x->failure.code)
		return; /* a balancer asks for our health every second or two: no line for that */
	char *line = request_log_reserve(r->log, LINE_BYTES);
	if (!line)
		return;
	char id[CORRELATION_BYTES + 1], address[64];
	struct json_line j;
	exchange_correlation(x, id);
	json_line_begin(&j, line, LINE_BYTES);
	json_line_time(&j, "time", clock_wall());
	json_line_text(&j, "id", slice_of(id, CORRELATION_BYTES));
	json_line_text(&j, "client", slice_str(client_conn_address(x->client, address)));
	put_caller(&j, x);
	json_line_text(&j, "path", x->service ? x->service->path : SLICE("-"));
	json_line_text(&j, "operation", x->op ? x->op->name : SLICE("-"));
	json_line_u64(&j, "status", x->status);
	json_line_text(&j, "effect", slice_str(effects[effect]));
	if (x->failure.code) {
		json_line_text(&j, "error", slice_str(err_row(x->failure.code)->name));
		if (x->failure.what)
			json_line_text(&j, "detail", slice_str(x->failure.what));
	}
	if (x->upstream_status && x->upstream_status != x->status)
		json_line_u64(&j, "upstream_status", x->upstream_status);
	json_line_u64(&j, "request_bytes", x->body.seen);
	json_line_u64(&j, "answer_bytes", x->client_sent);
	if (x->at_end > x->at_head && x->at_head)
		json_line_ms(&j, "connector_ms", x->at_end - x->at_head);
	if (x->at_first > x->at_sent && x->at_sent)
		json_line_ms(&j, "service_ms", x->at_first - x->at_sent);
	if (x->client->tls)
		json_line_bool(&j, "tls", true);
	if (x->locates)
		json_line_bool(&j, "anonymous", true);
	if (recall_word(x))
		json_line_text(&j, "cache", slice_str(recall_word(x)));
	if (x->retried)
		json_line_bool(&j, "retried", true);
	if (x->uninspected)
		json_line_bool(&j, "uninspected", true);
	request_log_commit(r->log, json_line_end(&j));
}
