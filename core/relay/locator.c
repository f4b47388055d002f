#include "core/relay/locator.h"

#include "core/relay/answer.h"
#include "core/relay/pump.h"

bool locator_takes(const struct exchange *x)
{
	return x->relay->anonymous_locator && x->op && x->op->id == OP_FIND_SERVICE_LOCATIONS &&
	       !http_head_has(&x->relay->head, HDR_AUTHORIZATION);
}

enum step locator_collect(struct exchange *x)
{
	struct relay *r = x->relay;
	struct input content = pump_content(x);
	struct rms_locations asked;
	if (x->uninspected) /* whatever it is, it is not for us to say: who asks? */
		return exchange_answer_with(x, ERR_OF(LOGON_REQUIRED));
	if (content.n > LOCATIONS_REQUEST_BYTES)
		return exchange_answer_with(x, ERR_OF(BODY_TOO_LARGE));
	if (!x->body.complete)
		return STEP_COLLECT;
	const char *wrong = rms_locations_read(slice_of(content.at, content.n), &asked);
	if (wrong)
		return exchange_answer_with(x, ERR_OF(LOCATION_UNKNOWN, .what = wrong));
	x->located = rms_locations_answer(&asked, x->soap, slice_str(r->settings->upstream_url), r->scratch,
	                                  sizeof(r->scratch));
	return x->located ? STEP_ANSWER : exchange_answer_with(x, ERR_OF(NO_MEMORY));
}

void locator_answer(struct exchange *x, bool close)
{
	answer_soap(x, slice_of(x->relay->scratch, x->located), close);
}
