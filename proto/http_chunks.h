/* A strict reader of the chunked coding (RFC 9112 7.1): what llhttp says about a chunked body must be what this says. Bounded: 256 bytes for a size
 * line, 16 KiB for all extensions of a body, 4 KiB and 32 lines for trailers. Reads byte by byte if need be; holds no bytes but a trailer's name. Pure. */
#pragma once
#include "proto/http_guard.h"

enum {
	CHUNK_LINE_MAX = 256,
	EXTENSION_BYTES_MAX = 16 * 1024,
	TRAILER_BYTES_MAX = 4096,
	TRAILER_LINES_MAX = 32,
	TRAILER_NAME_MAX = 32
};

struct chunk_reader {  /* start with zeroes */
	uint64_t left; /* of the chunk's data */
	uint16_t line_bytes, extension_bytes, trailer_bytes;
	uint8_t state, digits, trailer_lines, name_len;
	char name[TRAILER_NAME_MAX];
};

enum chunk_part {
	CHUNK_FRAME,
	CHUNK_DATA,
	CHUNK_LAST, /* frame that ends the body: nothing behind it belongs to this message */
	CHUNK_BROKEN,
};
struct chunk_run {
	enum chunk_part part;
	size_t len;
};
/* The longest run of one part at the start of bytes; n > 0. CHUNK_BROKEN: *why. Not to be called again after LAST or BROKEN. */
struct chunk_run chunk_reader_next(struct chunk_reader *r, const char *bytes, size_t n, enum guard_reason *why);
