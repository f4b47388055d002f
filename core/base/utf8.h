/* UTF-8 as RFC 3629 allows it: no overlong forms, no surrogates, nothing beyond U+10FFFF. Pure. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Length of the well-formed sequence at s, of n > 0 bytes; 0 when there is none. *code is set on success. */
static inline size_t utf8_sequence(const unsigned char *s, size_t n, uint32_t *code)
{
	unsigned char c = s[0];
	if (c < 0x80) {
		*code = c;
		return 1;
	}
	size_t len = c >= 0xc2 && c <= 0xdf ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
	if (len == 0 || len > n)
		return 0;
	uint32_t value = c & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (s[i] & 0x3fu);
	}
	if ((len == 3 && value < 0x800) || (len == 4 && value < 0x10000) || value > 0x10ffff ||
	    (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*code = value;
	return len;
}
