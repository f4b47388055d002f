/* SOAP faults of the RMS service, and the names of its exceptions. Pure; any thread. */
#pragma once
#include "bench/text.h"
#include "proto/soap.h"

/* Declaration and the start tag of Envelope. */
void rms_envelope_start(struct text *out, enum soap_version soap);
/* A whole fault. client: soap:Client or Sender, else soap:Server or Receiver. */
void rms_fault_make(struct text *out, enum soap_version soap, bool client, const char *text);
/* The full name of an exception: "NoRightsForRequestedPrincipalException" gets its prefix, a name with a dot stays. NULL: unknown. */
const char *rms_exception_name(const char *name);
