#include "proto/http_write.h"

#include <stdio.h>

enum travel { DROP, PASS };

static const struct {
	uint8_t to_cloud, to_caller;
} travels[HDR_COUNT] = {
        [HDR_OTHER] = {DROP, PASS},
#define HEADER(id, name, to_cloud, to_caller) [HDR_##id] = {to_cloud, to_caller},
#include "proto/http_headers.def"
#undef HEADER
};

struct writer {
	char *at, *end;
	bool full;
};

static void put(struct writer *w, struct slice s)
{
	if ((size_t)(w->end - w->at) < s.len) {
		w->full = true;
		return;
	}
	if (s.len)
		memcpy(w->at, s.at, s.len);
	w->at += s.len;
}

static void put_number(struct writer *w, uint64_t n)
{
	char digits[20];
	size_t i = sizeof(digits);
	do
		digits[--i] = (char)('0' + n % 10);
	while (n /= 10);
	put(w, slice_of(digits + i, sizeof(digits) - i));
}

static void put_header(struct writer *w, const struct http_header *h)
{
	/* One test for the whole line: this runs for every header of every message. */
	if ((size_t)(w->end - w->at) < h->name.len + h->value.len + 4) {
		w->full = true;
		return;
	}
	w->at = mempcpy(w->at, h->name.at, h->name.len);
	*w->at++ = ':';
	*w->at++ = ' ';
	w->at = mempcpy(w->at, h->value.at, h->value.len);
	*w->at++ = '\r';
	*w->at++ = '\n';
}

static void put_framing(struct writer *w, enum http_framing framing, uint64_t content_length)
{
	if (framing == BODY_CHUNKED) {
		put(w, SLICE("Transfer-Encoding: chunked\r\n"));
	} else if (framing == BODY_LENGTH) {
		put(w, SLICE("Content-Length: "));
		put_number(w, content_length);
		put(w, SLICE("\r\n"));
	}
}

static size_t finish(struct writer *w, const char *out)
{
	put(w, SLICE("\r\n"));
	return w->full ? 0 : (size_t)(w->at - out);
}

/* Whether a Connection header names anything but what concerns us alone: only then must each header be looked for in it. */
static bool connection_names_headers(const struct http_head *h)
{
	for (size_t i = h->first[HDR_CONNECTION]; i && i <= h->header_count; i++) {
		const struct http_header *c = &h->headers[i - 1];
		if (c->id == HDR_CONNECTION && !slice_equal_nocase(c->value, SLICE("keep-alive")) &&
		    !slice_equal_nocase(c->value, SLICE("close")))
			return true;
	}
	return false;
}

/* RFC 9110 7.6.1: what Connection names was meant for the next hop only, and that was us. */
static bool named_by_connection(const struct http_head *h, struct slice name)
{
	for (size_t i = h->first[HDR_CONNECTION]; i && i <= h->header_count; i++) {
		struct slice rest = h->headers[i - 1].value;
		if (h->headers[i - 1].id != HDR_CONNECTION)
			continue;
		while (rest.len) {
			size_t comma = slice_find(rest, ',');
			if (slice_equal_nocase(slice_trim(slice_until(rest, comma)), name))
				return true;
			rest = slice_from(rest, comma + 1);
		}
	}
	return false;
}

static void put_headers(struct writer *w, const struct http_head *h, bool to_cloud)
{
	bool hop_by_hop = connection_names_headers(h);
	for (size_t i = 0; i < h->header_count; i++) {
		const struct http_header *header = &h->headers[i];
		uint8_t travel = to_cloud ? travels[header->id].to_cloud : travels[header->id].to_caller;
		if (travel == PASS && !(hop_by_hop && named_by_connection(h, header->name)))
			put_header(w, header);
	}
}

size_t http_write_request_line(char *out, size_t cap, struct slice begin, struct slice path, struct slice words)
{
	struct writer w = {out, out + cap, false};
	put(&w, SLICE("POST "));
	put(&w, begin);
	put(&w, path);
	put(&w, SLICE(" HTTP/1.1\r\n"));
	put(&w, words);
	return w.full ? 0 : (size_t)(w.at - out);
}

size_t http_write_request_rest(char *out, size_t cap, const struct http_head *caller, enum http_framing framing,
                               uint64_t content_length)
{
	struct writer w = {out, out + cap, false};
	put_headers(&w, caller, true);
	/* A POST without a body says so: some servers wait otherwise (RFC 9110 8.6). */
	put_framing(&w, framing == BODY_NONE ? BODY_LENGTH : framing, framing == BODY_NONE ? 0 : content_length);
	return finish(&w, out);
}

size_t http_write_answer(char *out, size_t cap, const struct http_head *upstream, enum http_framing framing,
                         uint64_t content_length, struct slice extra, bool close)
{
	struct writer w = {out, out + cap, false};
	put(&w, SLICE("HTTP/1.1 "));
	put_number(&w, upstream->status);
	put(&w, SLICE(" "));
	put(&w, upstream->reason);
	put(&w, SLICE("\r\n"));
	put_headers(&w, upstream, false);
	put_framing(&w, framing, content_length);
	put(&w, extra);
	if (close)
		put(&w, SLICE("Connection: close\r\n"));
	return finish(&w, out);
}

size_t http_write_chunk_start(char out[static 18], uint64_t n)
{
	unsigned digits = n ? (67 - (unsigned)__builtin_clzll(n)) / 4 : 1;
	for (unsigned i = digits; i--; n >>= 4)
		out[i] = "0123456789abcdef"[n & 15];
	out[digits] = '\r';
	out[digits + 1] = '\n';
	return digits + 2;
}

const char *http_status_reason(unsigned status)
{
	switch (status) {
#define STATUS(code, words) \
	case code:          \
		return words
		STATUS(100, "Continue");
		STATUS(200, "OK");
		STATUS(204, "No Content");
		STATUS(301, "Moved Permanently");
		STATUS(302, "Found");
		STATUS(304, "Not Modified");
		STATUS(400, "Bad Request");
		STATUS(401, "Unauthorized");
		STATUS(403, "Forbidden");
		STATUS(404, "Not Found");
		STATUS(405, "Method Not Allowed");
		STATUS(408, "Request Timeout");
		STATUS(413, "Content Too Large");
		STATUS(414, "URI Too Long");
		STATUS(415, "Unsupported Media Type");
		STATUS(417, "Expectation Failed");
		STATUS(429, "Too Many Requests");
		STATUS(431, "Request Header Fields Too Large");
		STATUS(500, "Internal Server Error");
		STATUS(501, "Not Implemented");
		STATUS(502, "Bad Gateway");
		STATUS(503, "Service Unavailable");
		STATUS(504, "Gateway Timeout");
#undef STATUS
	}
	return "Unknown";
}
