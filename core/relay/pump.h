/* Bytes from one side to the other. Content is what the sender meant, without its framing; each side gets framing of our own. While a turn runs,
 * content lies where it was read and a new head is laid before it, so head and body are one write and one TLS record. */
#pragma once
#include "core/relay/exchange.h"

/* Takes the request's content out of relay->in. An error is the answer to give. */
struct err pump_take(struct exchange *x);
/* Content that has not gone on: kept from earlier turns, or of this one. */
struct input pump_content(const struct exchange *x);
void pump_drop_content(struct exchange *x);
/* Sends the head, if it is still to go, and all content to the leased connection. */
struct err pump_forward(struct exchange *x);
/* The turn ends: what borrowed the loop's buffer is copied. False: no memory. */
bool pump_keep(struct exchange *x);
/* Everything held for this exchange is freed. */
void pump_free(struct exchange *x);
/* The whole request as it was sent lies ready again. False: it was not kept: too large, sent again already, or neither its operation nor its
 * credential is of the kind that is. The caller says whether sending again is right: only a RETRY_SAFE operation, or one that was not done. */
bool pump_rewind(struct exchange *x);

/* to gets head (may be empty) and content, framed; last: the message ends here. */
void pump_send(struct stream *to, struct slice head, struct input content, bool chunked, bool last);

enum pump_reply {
	REPLY_MORE,     /* waits for more from the cloud */
	REPLY_COMPLETE, /* the caller has it all */
	REPLY_REPLACED, /* x->replacement is what the caller gets instead */
	REPLY_BAD,      /* not HTTP: x->failure */
};
/* relay->answer_in: what came from the cloud. */
enum pump_reply pump_reply(struct exchange *x);
/* The answer so far never was: another one may come. */
void pump_reply_restart(struct exchange *x);
/* The cloud's connection ended in the middle; true when that is the proper end of this answer. */
bool pump_reply_end(struct exchange *x, struct err why);
