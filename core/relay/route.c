#include "core/relay/route.h"

#include "core/base/log.h"
#include "core/relay/shed.h"

bool route_is_health(struct slice path)
{
	return slice_equal(path, SLICE("/livez")) || slice_equal(path, SLICE("/readyz"));
}

/* "Requests are not compressed" (RMS over ASP.NET): a compressed body could not be looked at, so it is not let through. */
static bool encoding_is_plain(struct slice encoding)
{
	return encoding.len == 0 || slice_equal_nocase(encoding, SLICE("identity"));
}

static void find_operation(struct exchange *x, const struct http_head *head, struct slice content_type)
{
	struct slice action = x->soap == SOAP_12 ? soap12_action(content_type) : http_head_get(head, HDR_SOAPACTION);
	if (action.len == 0 && x->soap == SOAP_12)
		action = http_head_get(head, HDR_SOAPACTION); /* some SOAP 1.2 stacks still send it */
	if (action.len == 0 || slice_equal(action, SLICE("\"\"")))
		return; /* the first child of Body decides */
	x->op = rms_op_by_action(x->service, action);
	x->action_unknown = x->op == NULL;
}

struct err route_request(struct exchange *x, const struct http_head *head)
{
	const struct settings *s = x->relay->settings;
	bool reads = head->method == HTTP_GET || head->method == HTTP_HEAD;
	x->service = rms_service_find(head->path);
	x->wants_100 = head->expect_continue; /* also what is refused below: its body may come or not */
	if (route_is_health(head->path))
		return reads ? OK : ERR_OF(METHOD_WRONG);
	if (!x->service || !x->service->relayed)
		return ERR_OF(PATH_UNKNOWN);
	if (reads)
		return OK;
	if (head->method != HTTP_POST)
		return ERR_OF(METHOD_WRONG);
	struct slice content_type = http_head_get(head, HDR_CONTENT_TYPE);
	if (!soap_content_type(content_type, &x->soap) || !encoding_is_plain(http_head_get(head, HDR_CONTENT_ENCODING)))
		return ERR_OF(TYPE_UNSUPPORTED);
	if (head->expect_other)
		return ERR_OF(EXPECT_UNKNOWN);
	if (head->framing == BODY_LENGTH && head->content_length > s->limits_request_body_bytes) {
		event_log(EVENT_BODY_TOO_LARGE, "%.*s: %llu bytes announced, %u allowed", SLICE_ARG(x->service->path),
		          (unsigned long long)head->content_length, s->limits_request_body_bytes);
		return ERR_OF(BODY_TOO_LARGE);
	}
	if (!shed_held(x->relay, x->client)) {
		event_log(EVENT_OVERLOAD, "limits.held_bytes is reached");
		return ERR_OF(OVERLOAD);
	}
	find_operation(x, head, content_type);
	return OK;
}
