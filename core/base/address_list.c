#include "core/base/address_list.h"

#include <arpa/inet.h>
#include <string.h>

static const uint8_t v4_mapped[12] = {[10] = 0xff, 0xff};

/* 0..max, or -1; no sign, no leading zero. */
static int parse_bits(const char *text, int max)
{
	int bits = 0;
	if (!*text || (text[0] == '0' && text[1]))
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		bits = bits * 10 + (*text - '0');
		if (bits > max)
			return -1;
	}
	return bits;
}

static bool bits_behind(const struct address_prefix *p)
{
	for (unsigned bit = p->bits; bit < 128; bit++)
		if (p->bytes[bit / 8] & 0x80 >> bit % 8)
			return true;
	return false;
}

const char *address_prefix_parse(const char *text, struct address_prefix *out)
{
	static const char *const wrong = "an address or a prefix: 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32";
	char host[64];
	size_t len = strcspn(text, "/");
	if (len >= sizeof(host))
		return wrong;
	memcpy(host, text, len);
	host[len] = 0;
	*out = (struct address_prefix){0};
	bool v4 = inet_pton(AF_INET, host, out->bytes + 12) == 1;
	if (v4)
		memcpy(out->bytes, v4_mapped, sizeof(v4_mapped));
	else if (inet_pton(AF_INET6, host, out->bytes) != 1)
		return wrong;
	int bits = text[len] ? parse_bits(text + len + 1, v4 ? 32 : 128) : v4 ? 32 : 128;
	if (bits < 0)
		return v4 ? "a prefix length from 0 to 32 behind the slash"
		          : "a prefix length from 0 to 128 behind the slash";
	out->bits = (uint8_t)(v4 ? 96 + bits : bits);
	return bits_behind(out) ? "a prefix with nothing but zeros behind its length: 10.1.0.0/16, not 10.1.2.3/16"
	                        : NULL;
}

bool address_prefix_covers(const struct address_prefix *p, const struct sockaddr_storage *a)
{
	uint8_t bytes[16];
	if (a->ss_family == AF_INET) {
		memcpy(bytes, v4_mapped, sizeof(v4_mapped));
		memcpy(bytes + 12, &((const struct sockaddr_in *)a)->sin_addr, 4);
	} else if (a->ss_family == AF_INET6) {
		memcpy(bytes, &((const struct sockaddr_in6 *)a)->sin6_addr, 16);
	} else {
		return false;
	}
	unsigned whole = p->bits / 8, rest = p->bits % 8;
	if (memcmp(bytes, p->bytes, whole))
		return false;
	return rest == 0 || (bytes[whole] ^ p->bytes[whole]) >> (8 - rest) == 0;
}
