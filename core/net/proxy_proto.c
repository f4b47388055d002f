#include "core/net/proxy_proto.h"

#include "core/base/slice.h"

#include <arpa/inet.h>

const char *const proxy_reason_names[PROXY_REASON_COUNT] = {
#define PROXY_REASON(name, text) #name,
#include "core/net/proxy_reasons.def"
#undef PROXY_REASON
};

const char *proxy_reason_text(enum proxy_reason why)
{
	static const char *const texts[PROXY_REASON_COUNT] = {
#define PROXY_REASON(name, text) text,
#include "core/net/proxy_reasons.def"
#undef PROXY_REASON
	};
	return texts[why];
}

static void map_v4(uint8_t out[static 16], const void *v4)
{
	memset(out, 0, 10);
	memset(out + 10, 0xff, 2);
	memcpy(out + 12, v4, 4);
}

/* ---- version 1: PROXY TCP4 192.0.2.7 192.0.2.1 40000 443 CRLF ---- */

/* The next word, which one space or the end of the line ends; then line->at is NULL. */
static struct slice take_word(struct slice *line)
{
	size_t end = slice_find(*line, ' ');
	struct slice word = slice_until(*line, end);
	*line = end == line->len ? slice_of(NULL, 0) : slice_from(*line, end + 1);
	return word;
}

/* Into 16 bytes, as the protocol writes it: nothing that inet_pton() would take in two ways. */
static bool take_address(struct slice *line, bool v6, uint8_t out[static 16])
{
	struct slice word = take_word(line);
	char text[INET6_ADDRSTRLEN];
	uint8_t v4[4];
	if (word.len == 0 || word.len >= sizeof(text))
		return false;
	memcpy(text, word.at, word.len);
	text[word.len] = 0;
	if (v6)
		return inet_pton(AF_INET6, text, out) == 1;
	if (inet_pton(AF_INET, text, v4) != 1)
		return false;
	map_v4(out, v4);
	return true;
}

static bool take_port(struct slice *line)
{
	struct slice word = take_word(line);
	unsigned value = 0;
	if (word.len == 0 || word.len > 5 || (word.len > 1 && word.at[0] == '0'))
		return false;
	for (size_t i = 0; i < word.len; i++) {
		if (word.at[i] < '0' || word.at[i] > '9')
			return false;
		value = value * 10 + (unsigned)(word.at[i] - '0');
	}
	return value <= 65535;
}

/* line: between "PROXY " and CRLF. */
static bool read_line(struct slice line, struct proxy_caller *out)
{
	uint8_t destination[16];
	struct slice transport = take_word(&line);
	if (slice_equal(transport, SLICE("UNKNOWN"))) /* whatever follows is to be ignored */
		return true;
	bool v6 = slice_equal(transport, SLICE("TCP6"));
	if (!v6 && !slice_equal(transport, SLICE("TCP4")))
		return false;
	out->known = take_address(&line, v6, out->address) && take_address(&line, v6, destination) &&
	             take_port(&line) && take_port(&line) && line.at == NULL;
	return out->known;
}

static long read_v1(const char *bytes, size_t n, struct proxy_caller *out, enum proxy_reason *why)
{
	enum { WORD = 6 /* "PROXY " */ };
	size_t end = WORD;
	*why = PROXY_LINE_ODD;
	while (end < n && end < PROXY_V1_BYTES - 1 && bytes[end] >= ' ' && bytes[end] <= '~')
		end++;
	if (end == PROXY_V1_BYTES - 1) {
		*why = PROXY_TOO_LONG;
		return -1;
	}
	if (end == n)
		return 0;
	if (bytes[end] != '\r' || (end + 1 < n && bytes[end + 1] != '\n'))
		return -1;
	if (end + 1 == n)
		return 0;
	return read_line(slice_of(bytes + WORD, end - WORD), out) ? (long)end + 2 : -1;
}

/* ---- version 2: signature, version and command, family and transport, length, addresses, TLVs ---- */

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";
enum { HEAD = 16, TLV_HEAD = 3, TLV_CRC32C = 3, CRC_BYTES = 4 };
enum { ANY_FAMILY = 0x00, TCP4 = 0x11, TCP6 = 0x21, TCP4_BYTES = 12, TCP6_BYTES = 36 };

static size_t length_at(const char *bytes)
{
	return (size_t)(uint8_t)bytes[0] << 8 | (uint8_t)bytes[1];
}

/* Castagnoli's, as the protocol wants it: over the whole header, with the checksum itself taken as zero. */
static uint32_t crc32c(const char *bytes, size_t n, size_t zero_at)
{
	uint32_t crc = 0xffffffff;
	for (size_t i = 0; i < n; i++) {
		bool zero = i >= zero_at && i < zero_at + CRC_BYTES;
		crc ^= zero ? 0 : (uint8_t)bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* From at to n; what they say is not needed, but they must fill the header exactly. */
static bool read_tlvs(const char *bytes, size_t at, size_t n, enum proxy_reason *why)
{
	while (at < n) {
		*why = PROXY_LENGTHS;
		if (n - at < TLV_HEAD)
			return false;
		uint8_t type = (uint8_t)bytes[at];
		size_t len = length_at(bytes + at + 1);
		at += TLV_HEAD;
		if (len > n - at || (type == TLV_CRC32C && len != CRC_BYTES))
			return false;
		if (type == TLV_CRC32C &&
		    crc32c(bytes, n, at) != (uint32_t)(length_at(bytes + at) << 16 | length_at(bytes + at + 2))) {
			*why = PROXY_CHECKSUM;
			return false;
		}
		at += len;
	}
	return true;
}

static long read_v2(const char *bytes, size_t n, struct proxy_caller *out, enum proxy_reason *why)
{
	if (n < HEAD)
		return 0;
	uint8_t version = (uint8_t)bytes[12], family = (uint8_t)bytes[13];
	size_t whole = HEAD + length_at(bytes + 14), addresses = 0;
	*why = PROXY_VERSION;
	if (version >> 4 != 2 || (version & 15) > 1)
		return -1;
	bool local = (version & 15) == 0;
	*why = PROXY_TRANSPORT;
	if (!local && family != TCP4 && family != TCP6 && family != ANY_FAMILY)
		return -1;
	*why = PROXY_TOO_LONG;
	if (whole > PROXY_V2_BYTES)
		return -1;
	if (!local && family != ANY_FAMILY)
		addresses = family == TCP4 ? TCP4_BYTES : TCP6_BYTES;
	*why = PROXY_LENGTHS;
	if (whole < HEAD + addresses)
		return -1;
	if (n < whole)
		return 0;
	if (!addresses) /* what stands there is to be skipped, whatever it is */
		return (long)whole;
	if (!read_tlvs(bytes, HEAD + addresses, whole, why))
		return -1;
	out->known = true;
	if (family == TCP4)
		map_v4(out->address, bytes + HEAD);
	else
		memcpy(out->address, bytes + HEAD, sizeof(out->address));
	return (long)whole;
}

static bool begins(const char *bytes, size_t n, const char *with, size_t len)
{
	return memcmp(bytes, with, n < len ? n : len) == 0;
}

long proxy_proto_read(const char *bytes, size_t n, struct proxy_caller *out, enum proxy_reason *why)
{
	static const char word[] = {'P', 'R', 'O', 'X', 'Y', ' '};
	*out = (struct proxy_caller){0};
	if (n == 0)
		return 0;
	if (begins(bytes, n, word, sizeof(word)))
		return n < sizeof(word) ? 0 : read_v1(bytes, n, out, why);
	if (begins(bytes, n, signature, sizeof(signature)))
		return read_v2(bytes, n, out, why);
	*why = PROXY_ABSENT;
	return -1;
}
