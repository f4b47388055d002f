/* The little we read of a SOAP message, always of a copy or a borrowed view: the bytes that travel are never changed. Pure. */
#pragma once
#include "core/base/slice.h"

enum soap_version { SOAP_11, SOAP_12 };
enum soap_look {
	SOAP_FOUND,      /* *child is the local name of Body's first child element */
	SOAP_MORE,       /* the answer is further on */
	SOAP_UNREADABLE, /* DOCTYPE, UTF-16, not an envelope, nested too deep: nothing is said about it */
};
enum { SOAP_LOOK_BYTES = 16 * 1024 }; /* beyond these nothing is looked at: SOAP_UNREADABLE */

/* bytes: a prefix of the message. *child borrows them. A prefix matcher knows the usual envelopes; expat decides about the rest. */
enum soap_look soap_first_child(const char *bytes, size_t n, bool complete, struct slice *child);

/* Content-Type of a SOAP message: text/xml is 1.1, application/soap+xml is 1.2, with any parameters. False: something else. */
bool soap_content_type(struct slice content_type, enum soap_version *version);
/* The action parameter of SOAP 1.2's content type, without its quotes; {NULL, 0} when there is none. One that is broken or given twice comes
 * back as empty text, which is no operation's action. */
struct slice soap12_action(struct slice content_type);

/* A whole SOAP fault. code: "Client" or "Server" (SOAP 1.2: Sender, Receiver). Returns its length, 0 when it does not fit. */
size_t soap_fault(char *out, size_t cap, enum soap_version version, const char *code, const char *text);
