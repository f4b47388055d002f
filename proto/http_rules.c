#include "proto/http_rules.h"
#include "proto/http_chars.h"

/* Headers that decide where a message goes, where it ends or what it is: each at most once, and in ASCII. */
#define DECISIVE                                                                                                    \
	(1ull << HDR_HOST | 1ull << HDR_CONTENT_LENGTH | 1ull << HDR_TRANSFER_ENCODING | 1ull << HDR_CONTENT_TYPE | \
	 1ull << HDR_SOAPACTION | 1ull << HDR_AUTHORIZATION | 1ull << HDR_EXPECT | 1ull << HDR_CONTENT_ENCODING)
_Static_assert(HDR_COUNT <= 64, "sets of headers are 64 bits");

static bool has_8bit(struct slice s)
{
	char all = 0;
	for (size_t i = 0; i < s.len; i++)
		all |= s.at[i];
	return all & 0x80;
}

static enum guard_reason several(enum http_header_id id)
{
	return id == HDR_HOST                ? GUARD_HOST_SEVERAL
	       : id == HDR_CONTENT_LENGTH    ? GUARD_LENGTH_SEVERAL
	       : id == HDR_TRANSFER_ENCODING ? GUARD_CODING_SEVERAL
	                                     : GUARD_HEADER_REPEATED;
}

/* One option of a Connection header (RFC 9110 7.6.1). What every reader needs cannot be taken away hop by hop. */
static enum guard_reason check_option(struct slice option, bool *close, bool *keep_alive)
{
	for (size_t i = 0; i < option.len; i++)
		if (!http_char_is(option.at[i], CHAR_TOKEN))
			return GUARD_CONNECTION_ODD;
	if (slice_equal_nocase(option, SLICE("close")))
		*close = true;
	else if (slice_equal_nocase(option, SLICE("keep-alive")))
		*keep_alive = true;
	else if (DECISIVE >> http_header_id(option) & 1)
		return GUARD_CONNECTION_ODD;
	return GUARD_FINE;
}

static enum guard_reason check_connection(struct slice value, bool *close, bool *keep_alive)
{
	while (value.len) {
		size_t comma = slice_find(value, ',');
		struct slice option = slice_trim(slice_until(value, comma));
		enum guard_reason why = option.len ? check_option(option, close, keep_alive) : GUARD_FINE;
		if (why)
			return why;
		value = slice_from(value, comma + 1);
	}
	return GUARD_FINE;
}

static enum guard_reason check_headers(struct http_head *h)
{
	bool close = false, keep_alive = false;
	for (size_t i = 0; i < h->header_count; i++) {
		const struct http_header *header = &h->headers[i];
		if (header->id == HDR_CONNECTION) {
			enum guard_reason why = check_connection(header->value, &close, &keep_alive);
			if (why)
				return why;
		}
		if (!(DECISIVE >> header->id & 1))
			continue;
		if (h->first[header->id] != i + 1)
			return several(header->id);
		if (has_8bit(header->value))
			return GUARD_VALUE_8BIT;
	}
	h->keep_alive = !close && (!h->http10 || keep_alive); /* RFC 9112 9.3 */
	return GUARD_FINE;
}

/* 1*DIGIT, at most 19, no leading zero: some readers take 010 for eight. */
static bool read_length(struct slice s, uint64_t *out)
{
	uint64_t length = 0;
	if (s.len == 0 || s.len > 19 || (s.len > 1 && s.at[0] == '0'))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!http_char_is(s.at[i], CHAR_DIGIT))
			return false;
		length = length * 10 + (uint64_t)(s.at[i] - '0');
	}
	*out = length;
	return true;
}

/* llhttp takes a tab behind these values for a part of them; we refuse what two readers see differently. */
static bool tab_behind(struct slice value)
{
	const char *p = value.at + value.len;
	while (*p == ' ')
		p++;
	return *p == '\t';
}

/* RFC 9112 6.3, without its leniency. */
static enum guard_reason check_framing(struct http_head *h)
{
	bool coded = http_head_has(h, HDR_TRANSFER_ENCODING), counted = http_head_has(h, HDR_CONTENT_LENGTH);
	struct slice coding = http_head_get(h, HDR_TRANSFER_ENCODING), length = http_head_get(h, HDR_CONTENT_LENGTH);
	h->framing = BODY_NONE;
	h->content_length = 0;
	if (coded && counted)
		return GUARD_LENGTH_AND_CODING;
	if (coded) {
		if (!slice_equal_nocase(coding, SLICE("chunked")) || tab_behind(coding))
			return GUARD_CODING_ODD;
		if (h->http10)
			return GUARD_CODING_OUT_OF_PLACE;
		h->framing = BODY_CHUNKED;
	} else if (counted) {
		if (!read_length(length, &h->content_length) || tab_behind(length))
			return GUARD_LENGTH_ODD;
		h->framing = BODY_LENGTH;
	}
	return GUARD_FINE;
}

/* host [":" port]; host is a name, an IPv4 address or an IPv6 address in brackets. */
struct authority {
	struct slice host;
	unsigned port; /* 0: none */
};

static bool read_authority(struct slice s, struct authority *out)
{
	size_t i = 0;
	if (s.len && s.at[0] == '[') {
		for (i = 1; i < s.len && (http_char_is(s.at[i], CHAR_HEX) || s.at[i] == ':' || s.at[i] == '.'); i++)
			;
		if (i < 3 || i == s.len || s.at[i] != ']')
			return false;
		i++;
	} else {
		while (i < s.len && http_char_is(s.at[i], CHAR_HOST))
			i++;
	}
	*out = (struct authority){slice_until(s, i), 0};
	if (i == 0 || i == s.len)
		return i != 0;
	struct slice port = slice_from(s, i + 1);
	if (s.at[i] != ':' || port.len == 0 || port.len > 5)
		return false;
	for (i = 0; i < port.len; i++) {
		if (!http_char_is(port.at[i], CHAR_DIGIT))
			return false;
		out->port = out->port * 10 + (unsigned)(port.at[i] - '0');
	}
	return out->port > 0 && out->port <= 65535;
}

static enum guard_reason check_host(const struct http_head *h, struct authority *out)
{
	if (!http_head_has(h, HDR_HOST))
		return h->http10 ? GUARD_FINE : GUARD_HOST_MISSING;
	return read_authority(http_head_get(h, HDR_HOST), out) ? GUARD_FINE : GUARD_HOST_ODD;
}

static bool authority_equal(struct authority a, struct authority b, unsigned default_port)
{
	return slice_equal_nocase(a.host, b.host) &&
	       (a.port ? a.port : default_port) == (b.port ? b.port : default_port);
}

static bool takes_scheme(struct slice *rest, struct slice scheme)
{
	if (rest->len < scheme.len || strncasecmp(rest->at, scheme.at, scheme.len) != 0)
		return false;
	*rest = slice_from(*rest, scheme.len);
	return true;
}

/* Origin form, absolute form that agrees with Host, or `OPTIONS *`. */
static enum guard_reason check_target(struct http_head *h, struct authority host)
{
	struct slice rest = h->target;
	if (rest.len == 1 && rest.at[0] == '*' && h->method == HTTP_OPTIONS) {
		h->path = rest;
		return GUARD_FINE;
	}
	if (rest.at[0] != '/') {
		struct authority named;
		unsigned default_port = takes_scheme(&rest, SLICE("http://"))    ? 80
		                        : takes_scheme(&rest, SLICE("https://")) ? 443
		                                                                 : 0;
		size_t end = 0;
		while (end < rest.len && rest.at[end] != '/' && rest.at[end] != '?')
			end++;
		if (!default_port || !read_authority(slice_until(rest, end), &named))
			return GUARD_TARGET_FORM;
		if (http_head_has(h, HDR_HOST) && !authority_equal(named, host, default_port))
			return GUARD_HOST_DISAGREES;
		rest = slice_from(rest, end);
	}
	size_t question = slice_find(rest, '?');
	h->path = question ? slice_until(rest, question) : SLICE("/");
	h->query = slice_from(rest, question + 1);
	return GUARD_FINE;
}

static void check_expect(struct http_head *h)
{
	bool has = http_head_has(h, HDR_EXPECT);
	bool is_continue = has && slice_equal_nocase(http_head_get(h, HDR_EXPECT), SLICE("100-continue"));
	h->expect_other = has && !is_continue;
	h->expect_continue = is_continue && !h->http10; /* RFC 9110 10.1.1 */
}

/* RFC 9112 6.3: what the status and the request's method say about the body. */
static enum guard_reason check_answer_body(struct http_head *h)
{
	bool coded = http_head_has(h, HDR_TRANSFER_ENCODING);
	if (h->status < 200 || h->status == 204) {
		if (coded)
			return GUARD_CODING_OUT_OF_PLACE;
		/* 204 with a length of zero is wrong, harmless, and seen. */
		if (http_head_has(h, HDR_CONTENT_LENGTH) && (h->status != 204 || h->content_length))
			return GUARD_LENGTH_OUT_OF_PLACE;
	}
	if (h->status < 200 || h->status == 204 || h->status == 304 || h->method == HTTP_HEAD)
		h->framing = BODY_NONE;
	else if (h->framing == BODY_NONE)
		h->framing = BODY_UNTIL_CLOSE;
	if (h->framing == BODY_UNTIL_CLOSE)
		h->keep_alive = false;
	return h->status == 101 ? GUARD_SWITCHED : GUARD_FINE;
}

enum guard_reason http_rules_request(struct http_head *h)
{
	struct authority host = {0};
	enum guard_reason found;
	if ((found = check_headers(h)) || (found = check_framing(h)) || (found = check_host(h, &host)) ||
	    (found = check_target(h, host)))
		return found;
	check_expect(h);
	return GUARD_FINE;
}

enum guard_reason http_rules_answer(struct http_head *h)
{
	enum guard_reason found;
	if ((found = check_headers(h)) || (found = check_framing(h)))
		return found;
	return check_answer_body(h);
}
