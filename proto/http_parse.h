/* Heads and chunked bodies by strict llhttp, checked against the guard's own view. The only file that sees llhttp. Pure. */
#pragma once
#include "proto/http_guard.h"
#include "proto/http_msg.h"

/* bytes: exactly one head that the guard let through. Fills *out, or says why not. Checks what needs the whole head: Host, lengths,
 * Transfer-Encoding, absolute form, duplicates that matter. */
bool http_parse_request(const char *bytes, size_t n, struct http_head *out, enum guard_reason *why);
/* to: method of the request (an answer to HEAD has no body). Status 1xx, 204 and 304 have none either. */
bool http_parse_answer(const char *bytes, size_t n, enum http_method to, struct http_head *out, enum guard_reason *why);

/* A body while it passes. Chunked bodies go through llhttp and a strict automaton of our own; both must agree. */
struct http_body {
	enum http_framing framing;
	bool complete;
	uint64_t left;              /* BODY_LENGTH */
	uint64_t seen;              /* content bytes so far */
	struct http_chunks *chunks; /* BODY_CHUNKED: made when first needed, freed by http_body_done() */
};

void http_body_start(struct http_body *b, const struct http_head *head);
void http_body_done(struct http_body *b);

struct http_taken {
	size_t used; /* raw bytes consumed; the rest belongs to the next message */
	char *data;  /* content, inside the bytes given: chunk frames are squeezed out in place */
	size_t data_len;
	bool ok; /* false: framing broken, *why */
};
/* b->complete tells whether the body ended. BODY_NONE takes nothing and is complete from the start. */
struct http_taken http_body_take(struct http_body *b, char *bytes, size_t n, enum guard_reason *why);
/* The connection ended (in good order): true when that ends the body well (BODY_UNTIL_CLOSE). */
bool http_body_end(struct http_body *b);
