/* Requests of the operations that need nothing of their own, neither a machine's certificate nor an account's: what a service can be tried with. They read
 * only. Pure. */
#pragma once
#include "proto/rms_op.h"
#include "proto/soap.h"

enum { RMS_PROBES = 4, RMS_PROBE_BYTES = 2048 };

extern const enum rms_op_id rms_probes[RMS_PROBES];

/* A SOAP 1.1 message with one of those operations; its length. out is NUL-terminated. */
size_t rms_probe_body(enum rms_op_id op, char out[static RMS_PROBE_BYTES]);
/* "Content-Type: ...\r\n" and for SOAP 1.1 "SOAPAction: ...\r\n", of any operation. Returns the length, 0 when it does not fit. */
size_t rms_probe_lines(enum rms_op_id op, enum soap_version soap, char *out, size_t cap);
