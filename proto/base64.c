#include "proto/base64.h"

#include <endian.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encode(struct slice bytes, char *out)
{
	const uint8_t *in = (const uint8_t *)bytes.at;
	char *at = out;
	size_t left = bytes.len;
	for (; left >= 3; left -= 3, in += 3) {
		uint32_t three = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
		*at++ = digits[three >> 18];
		*at++ = digits[three >> 12 & 63];
		*at++ = digits[three >> 6 & 63];
		*at++ = digits[three & 63];
	}
	if (left) {
		uint32_t rest = (uint32_t)in[0] << 16 | (left == 2 ? (uint32_t)in[1] << 8 : 0);
		*at++ = digits[rest >> 18];
		*at++ = digits[rest >> 12 & 63];
		*at++ = left == 2 ? digits[rest >> 6 & 63] : '=';
		*at++ = '=';
	}
	return (size_t)(at - out);
}

enum { NO = 64 };

/* A table, because a ticket has thousands of digits and no branch about them could be foretold. */
static const uint8_t values[256] = {
        ['A'] = 0,
        ['B'] = 1,
        ['C'] = 2,
        ['D'] = 3,
        ['E'] = 4,
        ['F'] = 5,
        ['G'] = 6,
        ['H'] = 7,
        ['I'] = 8,
        ['J'] = 9,
        ['K'] = 10,
        ['L'] = 11,
        ['M'] = 12,
        ['N'] = 13,
        ['O'] = 14,
        ['P'] = 15,
        ['Q'] = 16,
        ['R'] = 17,
        ['S'] = 18,
        ['T'] = 19,
        ['U'] = 20,
        ['V'] = 21,
        ['W'] = 22,
        ['X'] = 23,
        ['Y'] = 24,
        ['Z'] = 25,
        ['a'] = 26,
        ['b'] = 27,
        ['c'] = 28,
        ['d'] = 29,
        ['e'] = 30,
        ['f'] = 31,
        ['g'] = 32,
        ['h'] = 33,
        ['i'] = 34,
        ['j'] = 35,
        ['k'] = 36,
        ['l'] = 37,
        ['m'] = 38,
        ['n'] = 39,
        ['o'] = 40,
        ['p'] = 41,
        ['q'] = 42,
        ['r'] = 43,
        ['s'] = 44,
        ['t'] = 45,
        ['u'] = 46,
        ['v'] = 47,
        ['w'] = 48,
        ['x'] = 49,
        ['y'] = 50,
        ['z'] = 51,
        ['0'] = 52,
        ['1'] = 53,
        ['2'] = 54,
        ['3'] = 55,
        ['4'] = 56,
        ['5'] = 57,
        ['6'] = 58,
        ['7'] = 59,
        ['8'] = 60,
        ['9'] = 61,
        ['+'] = 62,
        ['/'] = 63,
        [0 ... '+' - 1] = NO,
        ['+' + 1 ... '/' - 1] = NO,
        ['9' + 1 ... 'A' - 1] = NO,
        ['Z' + 1 ... 'a' - 1] = NO,
        ['z' + 1 ... 255] = NO,
};

/* Four digits as 24 bits; false: one is none. */
static inline bool take_four(const char *text, uint32_t *out)
{
	const uint8_t *at = (const uint8_t *)text;
	uint32_t a = values[at[0]], b = values[at[1]], c = values[at[2]], d = values[at[3]];
	*out = a << 18 | b << 12 | c << 6 | d;
	return !((a | b | c | d) & NO);
}

/* The last four, with what stands for missing bytes, and no bits behind the last one: that would be a second text for the same bytes. */
static bool take_last(const char *text, char *out, size_t *n)
{
	size_t missing = text[3] != '=' ? 0 : text[2] != '=' ? 1 : 2;
	char four[4] = {text[0], text[1], missing == 2 ? 'A' : text[2], missing ? 'A' : text[3]};
	uint32_t bits;
	if (!take_four(four, &bits) || bits & ((1u << 8 * missing) - 1))
		return false;
	for (size_t i = 0; i < 3 - missing; i++)
		out[i] = (char)(bits >> (16 - 8 * i));
	*n = 3 - missing;
	return true;
}

bool base64_decode(struct slice text, char *out, size_t *out_len)
{
	char *at = out;
	size_t last = 0;
	if (text.len % 4 != 0)
		return false;
	/* All four are read before any of their three is written: out may be the text itself. The fourth byte written is none, and lies where the next
	 * ones come. */
	for (size_t i = 0; i + 4 < text.len; i += 4, at += 3) {
		uint32_t bits;
		if (!take_four(text.at + i, &bits))
			return false;
		bits = htobe32(bits << 8);
		memcpy(at, &bits, sizeof(bits));
	}
	if (text.len && !take_last(text.at + text.len - 4, at, &last))
		return false;
	*out_len = (size_t)(at - out) + last;
	return true;
}
