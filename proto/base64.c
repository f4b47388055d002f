#include "proto/base64.h"

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

/* Value and one; a table, because a ticket has thousands of digits and no branch about them could be foretold. */
static const uint8_t values[256] = {
        ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
        ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
        ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
        ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
        ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
        ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
        ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
        ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

/* NOT_A_DIGIT is set in what is none. */
enum { NOT_A_DIGIT = 64 };

static uint32_t digit_of(char c)
{
	return values[(uint8_t)c] - 1u;
}

bool base64_decode(struct slice text, char *out, size_t *out_len)
{
	if (text.len % 4 != 0)
		return false;
	size_t padding = 0;
	if (text.len && text.at[text.len - 1] == '=')
		padding = text.at[text.len - 2] == '=' ? 2 : 1;
	char *at = out;
	for (size_t i = 0; i < text.len; i += 4) {
		/* all four are read before any of their three is written: out may be the text itself */
		size_t missing = i + 4 == text.len ? padding : 0;
		uint32_t a = digit_of(text.at[i]), b = digit_of(text.at[i + 1]);
		uint32_t c = missing == 2 ? 0 : digit_of(text.at[i + 2]), d = missing ? 0 : digit_of(text.at[i + 3]);
		if ((a | b | c | d) & NOT_A_DIGIT)
			return false;
		uint32_t bits = a << 18 | b << 12 | c << 6 | d;
		if ((missing == 2 && bits & 0xffff) || (missing == 1 && bits & 0xff))
			return false; /* two texts for the same bytes */
		*at++ = (char)(bits >> 16);
		if (missing < 2)
			*at++ = (char)(bits >> 8);
		if (missing < 1)
			*at++ = (char)bits;
	}
	*out_len = (size_t)(at - out);
	return true;
}
