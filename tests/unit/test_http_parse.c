/* F16: what needs the whole head: Host, lengths, codings, target forms, headers that may come once. */
#include "core/base/check.h"
#include "proto/http_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct guard_limits limits = {96 * 1024, 16 * 1024};

#define HEAD(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}
#define POST(lines)         HEAD("POST /a HTTP/1.1\r\nHost: x\r\n" lines "\r\n")
#define POST10(lines)       HEAD("POST /a HTTP/1.0\r\n" lines "\r\n")
#define HOST(value)         HEAD("POST /a HTTP/1.1\r\nHost: " value "\r\n\r\n")
#define TO(target, host)    HEAD("POST " target " HTTP/1.1\r\nHost: " host "\r\n\r\n")
#define OK_(lines)          HEAD("HTTP/1.1 200 OK\r\n" lines "\r\n")
#define STATUS(code, lines) HEAD("HTTP/1.1 " code " x\r\n" lines "\r\n")

/* A copy of the exact size, so that a sanitizer sees any byte read too many; guard first, as always. */
static bool read_request(struct slice s, struct http_head *head, char **copy, enum guard_reason *why)
{
	size_t scanned = 0;
	*copy = malloc(s.len);
	memcpy(*copy, s.at, s.len);
	*why = GUARD_FINE;
	if (http_guard_request(*copy, s.len, &scanned, &limits, why) != (long)s.len)
		return false;
	return http_parse_request(*copy, s.len, head, why);
}

static bool read_answer(struct slice s, enum http_method to, struct http_head *head, char **copy,
                        enum guard_reason *why)
{
	size_t scanned = 0;
	*copy = malloc(s.len);
	memcpy(*copy, s.at, s.len);
	*why = GUARD_FINE;
	if (http_guard_answer(*copy, s.len, &scanned, &limits, why) != (long)s.len)
		return false;
	return http_parse_answer(*copy, s.len, to, head, why);
}

static const struct {
	struct slice bytes;
	enum guard_reason why;
} requests[] = {
        {POST(""), GUARD_FINE},
        {POST("X:\r\nY:   \r\nZ: \t \r\nW:a \t\r\n"), GUARD_FINE},
        {HEAD("\r\nPOST /a HTTP/1.1\r\nHost: x\r\n\r\n"), GUARD_FINE},
        {POST10(""), GUARD_FINE},
        {POST10("Host: x\r\n"), GUARD_FINE},
        {HEAD("BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n"), GUARD_FINE},
        {HEAD("CONNECT /pot HTTP/1.1\r\nHost: x\r\n\r\n"), GUARD_FINE},
        /* Host */
        {HEAD("POST /a HTTP/1.1\r\n\r\n"), GUARD_HOST_MISSING},
        {POST("Host: x\r\n"), GUARD_HOST_SEVERAL},
        {POST("hOST: y\r\n"), GUARD_HOST_SEVERAL},
        {POST10("Host: x\r\nHost: x\r\n"), GUARD_HOST_SEVERAL},
        {HOST(""), GUARD_HOST_ODD},
        {HOST("a b"), GUARD_HOST_ODD},
        {HOST("a,b"), GUARD_HOST_ODD},
        {HOST("user@a"), GUARD_HOST_ODD},
        {HOST("a/b"), GUARD_HOST_ODD},
        {HOST("http://a"), GUARD_HOST_ODD},
        {HOST("a:"), GUARD_HOST_ODD},
        {HOST("a:b"), GUARD_HOST_ODD},
        {HOST("a:0"), GUARD_HOST_ODD},
        {HOST("a:65536"), GUARD_HOST_ODD},
        {HOST("a:080808"), GUARD_HOST_ODD},
        {HOST("a:80:80"), GUARD_HOST_ODD},
        {HOST("a:+80"), GUARD_HOST_ODD},
        {HOST(":80"), GUARD_HOST_ODD},
        {HOST("[::1"), GUARD_HOST_ODD},
        {HOST("[]"), GUARD_HOST_ODD},
        {HOST("[::1]x"), GUARD_HOST_ODD},
        {HOST("::1"), GUARD_HOST_ODD},
        {HOST("a%2eb"), GUARD_HOST_ODD},
        {HOST("\xe4.example"), GUARD_VALUE_8BIT},
        {HOST("a.example:65535"), GUARD_FINE},
        {HOST("10.1.2.3:80"), GUARD_FINE},
        {HOST("[fe80::1]:8080"), GUARD_FINE},
        {HOST("EX_01"), GUARD_FINE},
        /* Lengths */
        {POST("Content-Length: 0\r\n"), GUARD_FINE},
        {POST("Content-Length: 9999999999999999999\r\n"), GUARD_FINE},
        {POST("Content-Length:5   \r\n"), GUARD_FINE},
        {POST("Content-Length: 5\r\nContent-Length: 5\r\n"), GUARD_LENGTH_SEVERAL},
        {POST("Content-Length: 5\r\ncontent-length: 6\r\n"), GUARD_LENGTH_SEVERAL},
        {POST("Content-Length: 5, 5\r\n"), GUARD_LENGTH_ODD},
        {POST("Content-Length:\r\n"), GUARD_LENGTH_ODD},
        {POST("Content-Length: +5\r\n"), GUARD_LENGTH_ODD},
        {POST("Content-Length: -5\r\n"), GUARD_LENGTH_ODD},
        {POST("Content-Length: 0x5\r\n"), GUARD_LENGTH_ODD},
        {POST("Content-Length: 05\r\n"), GUARD_LENGTH_ODD},
        {POST("Content-Length: 5 5\r\n"), GUARD_LENGTH_ODD},
        {POST("Content-Length: 5.0\r\n"), GUARD_LENGTH_ODD},
        {POST("Content-Length: 5e1\r\n"), GUARD_LENGTH_ODD},
        {POST("Content-Length: five\r\n"), GUARD_LENGTH_ODD},
        {POST("Content-Length: 5\t\r\n"), GUARD_LENGTH_ODD},
        {POST("Content-Length: 10000000000000000000\r\n"), GUARD_LENGTH_ODD},
        {POST("Content-Length: 18446744073709551621\r\n"), GUARD_LENGTH_ODD},
        {POST("Content-Length: \xb2\r\n"), GUARD_VALUE_8BIT},
        /* Codings */
        {POST("Transfer-Encoding: chunked\r\n"), GUARD_FINE},
        {POST("Transfer-Encoding:CHUNKED  \r\n"), GUARD_FINE},
        {POST("Transfer-Encoding:\tchunked\r\n"), GUARD_FINE},
        {POST("Transfer-Encoding: chunked\t\r\n"), GUARD_CODING_ODD},
        {POST("Transfer-Encoding: identity\r\n"), GUARD_CODING_ODD},
        {POST("Transfer-Encoding: gzip\r\n"), GUARD_CODING_ODD},
        {POST("Transfer-Encoding: gzip, chunked\r\n"), GUARD_CODING_ODD},
        {POST("Transfer-Encoding: chunked, chunked\r\n"), GUARD_CODING_ODD},
        {POST("Transfer-Encoding: chunked, identity\r\n"), GUARD_CODING_ODD},
        {POST("Transfer-Encoding: xchunked\r\n"), GUARD_CODING_ODD},
        {POST("Transfer-Encoding: chunkedx\r\n"), GUARD_CODING_ODD},
        {POST("Transfer-Encoding: \"chunked\"\r\n"), GUARD_CODING_ODD},
        {POST("Transfer-Encoding: chunked;q=1\r\n"), GUARD_CODING_ODD},
        {POST("Transfer-Encoding: ,chunked\r\n"), GUARD_CODING_ODD},
        {POST("Transfer-Encoding:\r\n"), GUARD_CODING_ODD},
        {POST("Transfer-Encoding: chunked\xa0\r\n"), GUARD_VALUE_8BIT},
        {POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), GUARD_CODING_SEVERAL},
        {POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), GUARD_CODING_SEVERAL},
        {POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), GUARD_LENGTH_AND_CODING},
        {POST("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), GUARD_LENGTH_AND_CODING},
        {POST("Transfer-Encoding: x\r\nContent-Length: 5\r\n"), GUARD_LENGTH_AND_CODING},
        {POST10("Transfer-Encoding: chunked\r\n"), GUARD_CODING_OUT_OF_PLACE},
        /* Target forms */
        {TO("http://x/a", "x"), GUARD_FINE},
        {TO("HTTP://X/a?b", "x:80"), GUARD_FINE},
        {TO("http://x:80", "x"), GUARD_FINE},
        {TO("https://x/a", "x:443"), GUARD_FINE},
        {TO("https://x/a", "x:80"), GUARD_HOST_DISAGREES},
        {TO("http://x/a", "y"), GUARD_HOST_DISAGREES},
        {TO("http://x:81/a", "x"), GUARD_HOST_DISAGREES},
        {TO("http://x.y/a", "x"), GUARD_HOST_DISAGREES},
        {TO("http://u@x/a", "x"), GUARD_TARGET_FORM},
        {TO("http:///a", "x"), GUARD_TARGET_FORM},
        {TO("http://x:/a", "x"), GUARD_TARGET_FORM},
        {TO("http:/x/a", "x"), GUARD_TARGET_FORM},
        {TO("ftp://x/a", "x"), GUARD_TARGET_FORM},
        {TO("ws://x/a", "x"), GUARD_TARGET_FORM},
        {TO("*", "x"), GUARD_TARGET_FORM},
        {TO("x:80", "x"), GUARD_TARGET_FORM},
        {TO("a/b", "x"), GUARD_TARGET_FORM},
        {TO("?a", "x"), GUARD_TARGET_FORM},
        {HEAD("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"), GUARD_FINE},
        {HEAD("OPTIONS ** HTTP/1.1\r\nHost: x\r\n\r\n"), GUARD_TARGET_FORM},
        {HEAD("CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n"), GUARD_TARGET_FORM},
        /* Headers that may come once, and options that may not take them away */
        {POST("Content-Type: a\r\nContent-Type: a\r\n"), GUARD_HEADER_REPEATED},
        {POST("SOAPAction: a\r\nSoapAction: b\r\n"), GUARD_HEADER_REPEATED},
        {POST("Authorization: a\r\nAuthorization: b\r\n"), GUARD_HEADER_REPEATED},
        {POST("Expect: 100-continue\r\nExpect: 100-continue\r\n"), GUARD_HEADER_REPEATED},
        {POST("Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n"), GUARD_HEADER_REPEATED},
        {POST("Accept: a\r\nAccept: b\r\n"), GUARD_FINE},
        {POST("SOAPAction: \xe4\r\n"), GUARD_VALUE_8BIT},
        {POST("User-Agent: \xe4\r\n"), GUARD_FINE},
        {POST("Connection: keep-alive, X-Mine ,, close\r\n"), GUARD_FINE},
        {POST("Connection:\r\n"), GUARD_FINE},
        {POST("Connection: Upgrade\r\nUpgrade: h2c\r\n"), GUARD_FINE},
        {POST("Connection: content-length\r\nContent-Length: 1\r\n"), GUARD_CONNECTION_ODD},
        {POST("Connection: close\r\nConnection: SoapAction\r\n"), GUARD_CONNECTION_ODD},
        {POST("Connection: host\r\n"), GUARD_CONNECTION_ODD},
        {POST("Connection: a b\r\n"), GUARD_CONNECTION_ODD},
        {POST("Connection: \"close\"\r\n"), GUARD_CONNECTION_ODD},
        {POST("Connection: \xe4\r\n"), GUARD_CONNECTION_ODD},
};

static void requests_are_accepted_or_refused_by_name(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(requests); i++) {
		struct http_head head;
		enum guard_reason why;
		char *copy;
		bool ok = read_request(requests[i].bytes, &head, &copy, &why);
		if (ok != (requests[i].why == GUARD_FINE) || why != requests[i].why)
			fail_msg("%.*s: %s", SLICE_ARG(requests[i].bytes), guard_reason_name(why));
		free(copy);
	}
}

static const struct {
	struct slice bytes;
	enum http_method to;
	enum guard_reason why;
	enum http_framing framing;
	bool keep_alive;
} answers[] = {
        {OK_("Content-Length: 5\r\n"), HTTP_POST, GUARD_FINE, BODY_LENGTH, true},
        {OK_("Content-Length: 0\r\n"), HTTP_POST, GUARD_FINE, BODY_LENGTH, true},
        {OK_("Transfer-Encoding: chunked\r\n"), HTTP_POST, GUARD_FINE, BODY_CHUNKED, true},
        {OK_(""), HTTP_POST, GUARD_FINE, BODY_UNTIL_CLOSE, false},
        {OK_("Connection: close\r\nContent-Length: 5\r\n"), HTTP_POST, GUARD_FINE, BODY_LENGTH, false},
        {HEAD("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"), HTTP_POST, GUARD_FINE, BODY_LENGTH, false},
        {HEAD("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\n"), HTTP_POST, GUARD_FINE,
         BODY_LENGTH, true},
        {HEAD("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n"), HTTP_POST, GUARD_FINE, BODY_UNTIL_CLOSE, false},
        {HEAD("HTTP/1.1 500\r\nContent-Length: 5\r\n\r\n"), HTTP_POST, GUARD_FINE, BODY_LENGTH, true},
        {OK_("Content-Length: 5\r\n"), HTTP_HEAD, GUARD_FINE, BODY_NONE, true},
        {OK_("Transfer-Encoding: chunked\r\n"), HTTP_HEAD, GUARD_FINE, BODY_NONE, true},
        {STATUS("304", "Content-Length: 5\r\n"), HTTP_POST, GUARD_FINE, BODY_NONE, true},
        {STATUS("204", ""), HTTP_POST, GUARD_FINE, BODY_NONE, true},
        {STATUS("204", "Content-Length: 0\r\n"), HTTP_POST, GUARD_FINE, BODY_NONE, true},
        {STATUS("204", "Content-Length: 5\r\n"), HTTP_POST, GUARD_LENGTH_OUT_OF_PLACE, 0, false},
        {STATUS("204", "Transfer-Encoding: chunked\r\n"), HTTP_POST, GUARD_CODING_OUT_OF_PLACE, 0, false},
        {STATUS("100", ""), HTTP_POST, GUARD_FINE, BODY_NONE, true},
        {STATUS("103", "Link: <a>\r\n"), HTTP_POST, GUARD_FINE, BODY_NONE, true},
        {STATUS("100", "Content-Length: 0\r\n"), HTTP_POST, GUARD_LENGTH_OUT_OF_PLACE, 0, false},
        {STATUS("102", "Transfer-Encoding: chunked\r\n"), HTTP_POST, GUARD_CODING_OUT_OF_PLACE, 0, false},
        {STATUS("101", ""), HTTP_POST, GUARD_SWITCHED, 0, false},
        {STATUS("101", "Upgrade: h2c\r\nConnection: upgrade\r\n"), HTTP_POST, GUARD_SWITCHED, 0, false},
        {OK_("Content-Length: 5\r\nContent-Length: 5\r\n"), HTTP_POST, GUARD_LENGTH_SEVERAL, 0, false},
        {OK_("Content-Length: 5,5\r\n"), HTTP_POST, GUARD_LENGTH_ODD, 0, false},
        {OK_("Content-Length: -1\r\n"), HTTP_POST, GUARD_LENGTH_ODD, 0, false},
        {OK_("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), HTTP_POST, GUARD_LENGTH_AND_CODING, 0, false},
        {OK_("Transfer-Encoding: gzip\r\n"), HTTP_POST, GUARD_CODING_ODD, 0, false},
        {OK_("Transfer-Encoding: identity\r\n"), HTTP_POST, GUARD_CODING_ODD, 0, false},
        {HEAD("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_POST, GUARD_CODING_OUT_OF_PLACE, 0, false},
        {OK_("Content-Type: a\r\nContent-Type: b\r\nContent-Length: 0\r\n"), HTTP_POST, GUARD_HEADER_REPEATED, 0,
         false},
        {OK_("Connection: content-encoding\r\nContent-Length: 0\r\n"), HTTP_POST, GUARD_CONNECTION_ODD, 0, false},
};

static void answers_are_accepted_or_refused_by_name(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(answers); i++) {
		struct http_head head;
		enum guard_reason why;
		char *copy;
		bool ok = read_answer(answers[i].bytes, answers[i].to, &head, &copy, &why);
		if (ok != (answers[i].why == GUARD_FINE) || why != answers[i].why)
			fail_msg("%.*s: %s", SLICE_ARG(answers[i].bytes), guard_reason_name(why));
		if (ok && (head.framing != answers[i].framing || head.keep_alive != answers[i].keep_alive))
			fail_msg("%.*s: framing %d keep-alive %d", SLICE_ARG(answers[i].bytes), head.framing,
			         head.keep_alive);
		free(copy);
	}
}

#define assert_slice(got, text)                                                              \
	do {                                                                                 \
		struct slice got_ = (got);                                                   \
		if (!slice_equal(got_, slice_str(text)))                                     \
			fail_msg("%s is \"%.*s\", not \"%s\"", #got, SLICE_ARG(got_), text); \
	} while (0)

static void a_request_comes_apart_into_its_parts(void **state)
{
	struct http_head h;
	enum guard_reason why;
	char *copy;
	struct slice head = HEAD("POST http://Conn.Example:80/_wmcs/x.asmx?wsdl HTTP/1.1\r\n"
	                         "Host: conn.example\r\nAccept:  a, b \t\r\nX-Empty:\r\naccept:c\r\n"
	                         "Expect: 100-Continue\r\nContent-Length: 123\r\nConnection: close\r\n\r\n");
	assert_true(read_request(head, &h, &copy, &why));
	assert_true(h.is_request && !h.http10 && !h.keep_alive && h.expect_continue && !h.expect_other);
	assert_int_equal(h.method, HTTP_POST);
	assert_slice(h.method_name, "POST");
	assert_slice(h.target, "http://Conn.Example:80/_wmcs/x.asmx?wsdl");
	assert_slice(h.path, "/_wmcs/x.asmx");
	assert_slice(h.query, "wsdl");
	assert_int_equal(h.framing, BODY_LENGTH);
	assert_int_equal(h.content_length, 123);
	assert_int_equal(h.header_count, 7);
	assert_slice(h.headers[1].name, "Accept");
	assert_slice(h.headers[1].value, "a, b");
	assert_slice(h.headers[2].name, "X-Empty");
	assert_slice(h.headers[2].value, "");
	assert_int_equal(h.headers[2].id, HDR_OTHER);
	assert_slice(h.headers[3].name, "accept");
	assert_int_equal(h.headers[3].id, HDR_ACCEPT);
	assert_slice(http_head_get(&h, HDR_ACCEPT), "a, b");
	assert_true(http_head_has(&h, HDR_HOST));
	assert_false(http_head_has(&h, HDR_SOAPACTION));
	assert_null(http_head_get(&h, HDR_SOAPACTION).at);
	free(copy);
}

static void paths_and_queries_are_told_apart(void **state)
{
	static const struct {
		struct slice bytes;
		const char *path, *query;
	} cases[] = {
	        {TO("/a", "x"), "/a", ""},          {TO("/a?", "x"), "/a", ""},
	        {TO("/a?b?c", "x"), "/a", "b?c"},   {TO("//a/../%2e", "x"), "//a/../%2e", ""},
	        {TO("http://x", "x"), "/", ""},     {TO("http://x?q", "x"), "/", "q"},
	        {TO("http://x/?q", "x"), "/", "q"}, {HEAD("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"), "*", ""},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct http_head h;
		enum guard_reason why;
		char *copy;
		assert_true(read_request(cases[i].bytes, &h, &copy, &why));
		assert_slice(h.path, cases[i].path);
		assert_slice(h.query, cases[i].query);
		free(copy);
	}
}

static void keep_alive_and_expect_follow_the_version(void **state)
{
	static const struct {
		struct slice bytes;
		bool keep_alive, expect_continue, expect_other;
	} cases[] = {
	        {POST(""), true, false, false},
	        {POST("Connection: CLOSE\r\n"), false, false, false},
	        {POST("Connection: keep-alive\r\nConnection: close\r\n"), false, false, false},
	        {POST("Connection: closed\r\n"), true, false, false},
	        {POST10(""), false, false, false},
	        {POST10("Connection: a, Keep-Alive\r\n"), true, false, false},
	        {POST10("Connection: keep-alive, close\r\n"), false, false, false},
	        {POST10("Expect: 100-continue\r\n"), false, false, false},
	        {POST("Expect: 100-continue\r\n"), true, true, false},
	        {POST("Expect: 100-continue, x\r\n"), true, false, true},
	        {POST("Expect: 200-ok\r\n"), true, false, true},
	        {POST("Expect:\r\n"), true, false, true},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct http_head h;
		enum guard_reason why;
		char *copy;
		assert_true(read_request(cases[i].bytes, &h, &copy, &why));
		assert_int_equal(h.keep_alive, cases[i].keep_alive);
		assert_int_equal(h.expect_continue, cases[i].expect_continue);
		assert_int_equal(h.expect_other, cases[i].expect_other);
		free(copy);
	}
}

static void an_answer_comes_apart_into_its_parts(void **state)
{
	struct http_head h;
	enum guard_reason why;
	char *copy;
	struct slice head = HEAD("HTTP/1.1 429 Too \xfcviel\r\nRetry-After: 7\r\nTransfer-Encoding: chunked\r\n\r\n");
	assert_true(read_answer(head, HTTP_POST, &h, &copy, &why));
	assert_false(h.is_request);
	assert_int_equal(h.status, 429);
	assert_slice(h.reason, "Too \xfcviel");
	assert_slice(http_head_get(&h, HDR_RETRY_AFTER), "7");
	assert_int_equal(h.framing, BODY_CHUNKED);
	free(copy);
}

static void every_header_row_is_found_in_any_case(void **state)
{
	for (enum http_header_id id = 1; id < HDR_COUNT; id++) {
		char name[64], *p = name;
		struct slice row = http_header_name(id);
		memcpy(name, row.at, row.len);
		assert_int_equal(http_header_id(slice_of(name, row.len)), id);
		for (size_t i = 0; i < row.len; i++) {
			name[i] = (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 0x20 : name[i]);
			assert_int_equal(http_header_id(slice_of(name, row.len)), id);
		}
		for (size_t i = 0; i < row.len; i++) {
			char kept = p[i];
			p[i] = kept == 'X' ? 'Y' : 'X';
			assert_int_equal(http_header_id(slice_of(name, row.len)), HDR_OTHER);
			p[i] = kept;
		}
		name[row.len] = 'q';
		assert_int_equal(http_header_id(slice_of(name, row.len + 1)),
		                 id == HDR_X_FORWARDED ? HDR_X_FORWARDED : HDR_OTHER);
	}
	assert_int_equal(http_header_id(SLICE("X-Forwarded-For")), HDR_X_FORWARDED);
	assert_int_equal(http_header_id(SLICE("x-forwarded-SSL-client-thing")), HDR_X_FORWARDED);
	assert_int_equal(http_header_id(SLICE("X-Forwarded")), HDR_OTHER);
	assert_int_equal(http_header_id(SLICE("")), HDR_OTHER);
}

static unsigned seed = 1;

static unsigned any(unsigned below)
{
	return (unsigned)rand_r(&seed) % below;
}

static size_t any_text(char *out, const char *alphabet, unsigned most)
{
	size_t len = any(most + 1);
	for (size_t i = 0; i < len; i++)
		out[i] = alphabet[any((unsigned)strlen(alphabet))];
	return len;
}

/* Whatever valid head is made, it is accepted and all its parts come back. */
static void made_heads_come_back_in_all_their_parts(void **state)
{
	static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~";
	static const char visible[] = "abcXYZ019!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\xe4\xff";
	for (int round = 0; round < 2000; round++) {
		char bytes[16384], want_values[60][64], want_names[60][64];
		size_t value_len[60], name_len[60], n = 0, count = 1 + any(59);
		n += (size_t)sprintf(bytes, "POST /p%u?q%u HTTP/1.1\r\nHost: h%u\r\n", any(99), any(99), any(99));
		for (size_t i = 0; i < count; i++) {
			want_names[i][0] = 'x'; /* no row of ours begins with x */
			name_len[i] = 1 + any_text(want_names[i] + 1, token, 30);
			value_len[i] = any_text(want_values[i], visible, 40);
			memcpy(bytes + n, want_names[i], name_len[i]);
			n += name_len[i];
			bytes[n++] = ':';
			n += any_text(bytes + n, " \t", 3);
			memcpy(bytes + n, want_values[i], value_len[i]);
			n += value_len[i];
			n += any_text(bytes + n, " \t", 3);
			n += (size_t)sprintf(bytes + n, "\r\n");
		}
		n += (size_t)sprintf(bytes + n, "\r\n");
		struct http_head h;
		enum guard_reason why;
		char *copy;
		if (!read_request(slice_of(bytes, n), &h, &copy, &why))
			fail_msg("%.*s: %s", (int)n, bytes, guard_reason_name(why));
		assert_int_equal(h.header_count, count + 1);
		for (size_t i = 0; i < count; i++) {
			assert_true(slice_equal(h.headers[i + 1].name, slice_of(want_names[i], name_len[i])));
			assert_true(slice_equal(h.headers[i + 1].value, slice_of(want_values[i], value_len[i])));
		}
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(requests_are_accepted_or_refused_by_name),
	        cmocka_unit_test(answers_are_accepted_or_refused_by_name),
	        cmocka_unit_test(a_request_comes_apart_into_its_parts),
	        cmocka_unit_test(paths_and_queries_are_told_apart),
	        cmocka_unit_test(keep_alive_and_expect_follow_the_version),
	        cmocka_unit_test(an_answer_comes_apart_into_its_parts),
	        cmocka_unit_test(every_header_row_is_found_in_any_case),
	        cmocka_unit_test(made_heads_come_back_in_all_their_parts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
