#include "proto/http_msg.h"

static const struct slice names[HDR_COUNT] = {
#define HEADER(id, name, to_cloud, to_caller) [HDR_##id] = {name, sizeof(name) - 1},
#include "proto/http_headers.def"
#undef HEADER
};

struct slice http_head_get(const struct http_head *h, enum http_header_id id)
{
	return h->first[id] ? h->headers[h->first[id] - 1].value : (struct slice){NULL, 0};
}

struct slice http_header_name(enum http_header_id id)
{
	return names[id];
}

static inline uint64_t load8(const char *p)
{
	uint64_t x;
	memcpy(&x, p, 8);
	return x;
}

static inline uint32_t load4(const char *p)
{
	uint32_t x;
	memcpy(&x, p, 4);
	return x;
}

/* Names are tokens: letters differ from their upper case in bit 0x20 only, and no other token byte becomes one of ours by setting it.
 * len: of row, at least 2 bytes; the loads of the tail overlap. */
static bool is_row(const char *name, const char *row, size_t len)
{
	const uint64_t low = 0x2020202020202020;
	if (len >= 8) {
		for (size_t i = 0; i + 8 < len; i += 8)
			if ((load8(name + i) | low) != load8(row + i))
				return false;
		return (load8(name + len - 8) | low) == load8(row + len - 8);
	}
	if (len >= 4)
		return (load4(name) | (uint32_t)low) == load4(row) &&
		       (load4(name + len - 4) | (uint32_t)low) == load4(row + len - 4);
	/* 2 or 3 */
	return (name[0] | 0x20) == row[0] && (name[1] | 0x20) == row[1] && (name[len - 1] | 0x20) == row[len - 1];
}

/* A unit test proves that this switch knows every row. */
enum http_header_id http_header_id(struct slice name)
{
#define TRY_ROW(id)                                        \
	if (is_row(name.at, names[HDR_##id].at, name.len)) \
	return HDR_##id
	switch (name.len) {
	case 2:
		TRY_ROW(TE);
		break;
	case 3:
		TRY_ROW(VIA);
		break;
	case 4:
		TRY_ROW(HOST);
		TRY_ROW(DATE);
		break;
	case 6:
		TRY_ROW(ACCEPT);
		TRY_ROW(EXPECT);
		TRY_ROW(COOKIE);
		break;
	case 7:
		TRY_ROW(TRAILER);
		TRY_ROW(UPGRADE);
		TRY_ROW(ALT_SVC);
		break;
	case 8:
		TRY_ROW(LOCATION);
		break;
	case 9:
		TRY_ROW(FORWARDED);
		TRY_ROW(X_REAL_IP);
		break;
	case 10:
		TRY_ROW(SOAPACTION);
		TRY_ROW(CONNECTION);
		TRY_ROW(USER_AGENT);
		TRY_ROW(KEEP_ALIVE);
		TRY_ROW(SET_COOKIE);
		break;
	case 11:
		TRY_ROW(RETRY_AFTER);
		TRY_ROW(SET_COOKIE2);
		break;
	case 12:
		TRY_ROW(CONTENT_TYPE);
		break;
	case 13:
		TRY_ROW(AUTHORIZATION);
		TRY_ROW(CACHE_CONTROL);
		break;
	case 14:
		TRY_ROW(CONTENT_LENGTH);
		TRY_ROW(ACCEPT_CHARSET);
		break;
	case 15:
		TRY_ROW(ACCEPT_ENCODING);
		TRY_ROW(ACCEPT_LANGUAGE);
		break;
	case 16:
		TRY_ROW(CONTENT_ENCODING);
		TRY_ROW(PROXY_CONNECTION);
		TRY_ROW(WWW_AUTHENTICATE);
		break;
	case 17:
		TRY_ROW(TRANSFER_ENCODING);
		break;
	case 18:
		TRY_ROW(PROXY_AUTHENTICATE);
		break;
	case 19:
		TRY_ROW(PROXY_AUTHORIZATION);
		TRY_ROW(AUTHENTICATION_INFO);
		break;
	case 25:
		TRY_ROW(STRICT_TRANSPORT_SECURITY);
		break;
	}
#undef TRY_ROW
	const struct slice family = names[HDR_X_FORWARDED];
	return name.len >= family.len && is_row(name.at, family.at, family.len) ? HDR_X_FORWARDED : HDR_OTHER;
}
