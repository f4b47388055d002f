/* The two readers behind soap_first_child(), apart so that a test can compare them. Where the first is sure, the second says the same. Pure. */
#pragma once
#include "proto/soap.h"

enum soap_guess { SOAP_SURE_FOUND, SOAP_SURE_MORE, SOAP_UNSURE };

/* Knows what .NET and WCF write: declaration, Envelope, Header with plain elements, Body, in ASCII, without references, comments, CDATA. */
enum soap_guess soap_read_prefix(struct slice bytes, struct slice *child);
/* Expat. */
enum soap_look soap_read_xml(struct slice bytes, struct slice *child);

extern const struct slice soap_namespaces[2]; /* by enum soap_version */
