/* HTTP/1.1 heads as data: what the guard and the parser agreed on. Slices borrow the bytes the head was parsed from. Pure; no thread. */
#pragma once
#include "core/base/slice.h"

enum { HTTP_HEADERS_MAX = 100, HTTP_TARGET_MAX = 8192 };

/* Rows in http_headers.def: what a header is to us, and whether it travels. */
enum http_header_id {
	HDR_OTHER,
#define HEADER(id, name, to_cloud, to_caller) HDR_##id,
#include "proto/http_headers.def"
#undef HEADER
	HDR_COUNT
};

struct http_header {
	struct slice name, value; /* value without white space around it */
	enum http_header_id id;
};

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_OPTIONS, HTTP_OTHER_METHOD };
enum http_framing { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_UNTIL_CLOSE /* answers only */ };

struct http_head {
	bool is_request, http10, keep_alive;
	bool expect_continue, expect_other;
	enum http_method method; /* requests */
	struct slice method_name;
	struct slice target; /* as sent */
	struct slice path,
	        query;   /* origin form, of the target or of its absolute form; query without '?', empty if none */
	uint16_t status; /* answers */
	struct slice reason;
	enum http_framing framing;
	uint64_t content_length; /* for BODY_LENGTH */
	size_t header_count;
	struct http_header headers[HTTP_HEADERS_MAX];
	/* first header of each id: 1 + index in headers, 0: absent */
	uint8_t first[HDR_COUNT];
};

/* Value of the first such header; {NULL, 0} when absent. */
struct slice http_head_get(const struct http_head *h, enum http_header_id id);
static inline bool http_head_has(const struct http_head *h, enum http_header_id id)
{
	return h->first[id] != 0;
}
enum http_header_id http_header_id(struct slice name);
struct slice http_header_name(enum http_header_id id);
