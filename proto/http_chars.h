/* Which bytes HTTP allows where (RFC 9110 5.6.2, RFC 9112 3), as one table of flags. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
	CHAR_TOKEN = 1,  /* methods, header names, parameters */
	CHAR_TARGET = 2, /* request targets: visible ASCII but '#', which some readers cut at */
	CHAR_HOST = 4,   /* registered names, as far as we need them */
	CHAR_DIGIT = 8,
	CHAR_HEX = 16,
	CHAR_VALUE = 32, /* header values: visible, space, tab, 8-bit */
};

extern const uint8_t http_chars[256];

static inline bool http_char_is(char c, uint8_t flags)
{
	return http_chars[(uint8_t)c] & flags;
}
