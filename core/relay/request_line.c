#include "core/relay/request_line.h"

#include "core/base/json_line.h"

enum { LINE_BYTES = 1024 };

void request_line_write(struct exchange *x, enum err_effect effect)
{
	static const char *const effects[EFFECT_COUNT] = {"ok", "deferred", "final"};
	struct relay *r = x->relay;
	if (!x->service && !x->failure.code)
		return; /* a balancer asks for our health every second or two: no line for that */
	char *line = request_log_reserve(r->log, LINE_BYTES);
	if (!line)
		return;
	const struct loopback_caller *caller = &r->settings->loopback_caller;
	char id[CORRELATION_BYTES + 1], address[64];
	struct json_line j;
	exchange_correlation(x, id);
	json_line_begin(&j, line, LINE_BYTES);
	json_line_time(&j, "time", clock_wall());
	json_line_text(&j, "id", slice_of(id, CORRELATION_BYTES));
	json_line_text(&j, "client", slice_str(client_conn_address(x->client, address)));
	if (caller->account) {
		json_line_text(&j, "account", slice_str(caller->account));
		json_line_text(&j, "role", slice_str(caller->role));
	}
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
	if (x->retried)
		json_line_bool(&j, "retried", true);
	if (x->uninspected)
		json_line_bool(&j, "uninspected", true);
	request_log_commit(r->log, json_line_end(&j));
}
