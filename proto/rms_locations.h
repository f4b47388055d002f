/* FindServiceLocations, the one question that may be answered here: which service types a caller asks for, and where they are at the tenant's own address. Types
 * and their paths are rows (rms_locations.def). Pure, strict, bounded. */
#pragma once
#include "proto/soap.h"

enum {
	LOCATIONS_MAX = 32,
	LOCATIONS_REQUEST_BYTES = 16 * 1024, /* longer questions are not read */
	LOCATIONS_ANSWER_BYTES = 20 * 1024,  /* enough for an origin of LOCATIONS_ORIGIN_BYTES */
	LOCATIONS_ORIGIN_BYTES = 320,
};

struct rms_locations {
	size_t count;
	uint8_t rows[LOCATIONS_MAX]; /* of rms_locations.def, in the order asked for */
};

/* message: a whole one, whose Body's first child is FindServiceLocations. NULL when fine, else what is wrong. */
const char *rms_locations_read(struct slice message, struct rms_locations *out);
/* A whole SOAP message. origin: "https://GUID.rms.REGION.aadrm.com". Returns its length, 0 when it does not fit. */
size_t rms_locations_answer(const struct rms_locations *l, enum soap_version version, struct slice origin, char *out,
                            size_t cap);
