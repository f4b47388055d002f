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

/* 64: not a digit. */
static uint32_t digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0') + 52;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
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
		if ((a | b | c | d) & 64)
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
