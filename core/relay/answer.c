#include "core/relay/answer.h"

#include "core/relay/authn.h"
#include "proto/http_write.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum { BODY_BYTES = 4096, HEAD_BYTES = 1024, RETRY_AFTER_S = 5 };

struct page { /* one self-made answer while it is put together */
	unsigned status;
	const char *type;
	char extra[400];       /* further header lines */
	char text[BODY_BYTES]; /* the body, or another one that is borrowed: */
	const char *body;      /* NULL: text */
	size_t body_len;
};

static void extra_line(struct page *p, const char *format, ...) PRINTF_LIKE(2, 3);

static void extra_line(struct page *p, const char *format, ...)
{
	size_t have = strlen(p->extra);
	va_list args;
	va_start(args, format);
	vsnprintf(p->extra + have, sizeof(p->extra) - have, format, args);
	va_end(args);
}

static void send_page(struct exchange *x, const struct page *p, bool close)
{
	char head[HEAD_BYTES], date[40];
	time_t now = time(NULL);
	struct tm t;
	gmtime_r(&now, &t);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &t);
	int n = snprintf(head, sizeof(head),
	                 "HTTP/1.1 %u %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: "
	                 "%zu\r\nX-Content-Type-Options: nosniff\r\n"
	                 "Cache-Control: no-store\r\n%s%s",
	                 p->status, http_status_reason(p->status), date, p->type, p->body_len, p->extra,
	                 close ? "Connection: close\r\n" : "");
	x->status = (uint16_t)p->status;
	x->answered = true;
	struct slice line = authn_line(x);
	stream_write(&x->client->io, head, (size_t)n);
	stream_write(&x->client->io, line.at, line.len);
	stream_write(&x->client->io, "\r\n", 2);
	if (!x->head_only)
		stream_write(&x->client->io, p->body ? p->body : p->text, p->body_len);
	x->client_sent += (size_t)n + line.len + 2 + p->body_len;
}

static const char *soap_type(const struct exchange *x)
{
	return x->soap == SOAP_12 ? "application/soap+xml; charset=utf-8" : "text/xml; charset=utf-8";
}

/* ", decision D..." when the answer is one of the list's; `explain` takes it. */
static const char *decision_of(const struct exchange *x, char out[static 40])
{
	const struct client_conn *c = x->client;
	bool decided = x->failure.code == ERR_NOT_AUTHORIZED || x->failure.code == ERR_LIST_UNAVAILABLE;
	char id[DECISION_ID_TEXT_BYTES];
	*out = 0;
	if (decided && c->proven && c->who->decision_id) {
		decision_id_print(c->who->decision_id, id);
		snprintf(out, 40, ", decision %s", id);
	}
	return out;
}

static void fault_body(struct exchange *x, struct page *p, const char *id)
{
	char text[300], decision[40];
	enum err_code code = x->failure.code;
	/* Exchange and MSDRM know these names; "Client" faults tell the caller that sending it again will not help. */
	const char *name = code == ERR_NOT_AUTHORIZED     ? "System.UnauthorizedAccessException"
	                   : code == ERR_LOCATION_UNKNOWN ? "System.InvalidOperationException"
	                                                  : NULL;
	if (name)
		snprintf(text, sizeof(text), "%s: %s. (connector correlation %s%s)", name, err_text(x->failure), id,
		         decision_of(x, decision));
	else
		snprintf(text, sizeof(text),
		         "Server did not recognize the value of HTTP Header SOAPAction or the message: %s. (connector "
		         "correlation %s)",
		         err_text(x->failure), id);
	p->type = soap_type(x);
	p->body_len = soap_fault(p->text, sizeof(p->text), x->soap, name ? "Server" : "Client", text);
}

void answer_failure(struct exchange *x, bool close)
{
	struct page p = {.type = "text/plain; charset=utf-8"};
	const struct err_row *row = err_row(x->failure.code);
	char id[CORRELATION_BYTES + 1], decision[40];
	exchange_correlation(x, id);
	p.status = row->status ? row->status : 500;
	extra_line(&p, "X-Correlation-Id: %s\r\n", id);
	if (row->flags & ERR_FLAG_RETRY)
		extra_line(&p, "Retry-After: %u\r\n", x->retry_after_s ? x->retry_after_s : RETRY_AFTER_S);
	if (x->failure.code == ERR_METHOD_WRONG)
		extra_line(&p, "Allow: %s\r\n", x->service ? "GET, HEAD, POST" : "GET, HEAD");
	if (p.status == 401 && authn_line(x).len == 0)
		extra_line(&p, "%s", authn_challenge(x->relay, x->client));
	if (row->flags & ERR_FLAG_FAULT)
		fault_body(x, &p, id);
	else
		p.body_len = (size_t)snprintf(p.text, sizeof(p.text), "%s\ncorrelation %s%s\n", row->text, id,
		                              decision_of(x, decision));
	metric_add(x->relay->metrics, METRIC_self_made_answers, x->failure.code, 0, 1);
	send_page(x, &p, close);
}

void answer_soap(struct exchange *x, struct slice message, bool close)
{
	struct page p = {.status = 200, .type = soap_type(x), .body = message.at, .body_len = message.len};
	send_page(x, &p, close);
}

void answer_help(struct exchange *x, bool close)
{
	struct page p = {.status = 200, .type = "text/html; charset=utf-8"};
	int n = snprintf(
	        p.text, sizeof(p.text),
	        "<!DOCTYPE html>\n<html lang=\"en\"><head><title>%.*s Web Service</title></head>\n<body><h1>%.*s</h1>\n"
	        "<p>This rms-connector answers here. The following operations are relayed to the organization's RMS "
	        "service:</p>\n<ul>\n",
	        SLICE_ARG(x->service->name), SLICE_ARG(x->service->name));
	for (unsigned i = 0; i < OP_NONE; i++)
		if (x->service->ops & 1u << i)
			n += snprintf(p.text + n, sizeof(p.text) - (size_t)n, "<li>%.*s</li>\n",
			              SLICE_ARG(rms_ops[i].name));
	n += snprintf(p.text + n, sizeof(p.text) - (size_t)n, "</ul>\n%s</body></html>\n",
	              x->relay->settings->loopback_caller.account
	                      ? "<p><strong>AUTHENTICATION OFF (test switch)</strong></p>\n"
	                      : "");
	p.body_len = (size_t)n;
	send_page(x, &p, close);
}

void answer_health(struct exchange *x, bool readiness, bool close)
{
	bool well = !readiness || !relay_not_ready(x->relay);
	struct page p = {.status = well ? 200 : 503, .type = "text/plain; charset=utf-8"};
	p.body_len = (size_t)snprintf(p.text, sizeof(p.text), well ? "ok\n" : "not ready\n");
	send_page(x, &p, close);
}
