/* F09, F10: what travels to the cloud and to the caller, and what stops here. */
#include "core/base/check.h"
#include "proto/http_parse.h"
#include "proto/http_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct guard_limits limits = {96 * 1024, 16 * 1024};

static void read_request(const char *text, struct http_head *head)
{
	size_t scanned = 0, n = strlen(text);
	enum guard_reason why;
	assert_int_equal(http_guard_request(text, n, &scanned, &limits, &why), n);
	assert_true(http_parse_request(text, n, head, &why));
}

static void read_answer(const char *text, struct http_head *head)
{
	size_t scanned = 0, n = strlen(text);
	enum guard_reason why;
	assert_int_equal(http_guard_answer(text, n, &scanned, &limits, &why), n);
	assert_true(http_parse_answer(text, n, HTTP_POST, head, &why));
}

static size_t write_request(char *out, size_t cap, const struct http_head *head, enum http_framing framing,
                            uint64_t length)
{
	size_t line = http_write_request_line(out, cap, SLICE("/_wmcs"), SLICE("/a.asmx"),
	                                      SLICE("Host: rms.example\r\nAuthorization: Bearer t\r\n"));
	size_t rest = line ? http_write_request_rest(out + line, cap - line, head, framing, length) : 0;
	return rest ? line + rest : 0;
}

/* Writes into a block of exactly the right size, and checks that any smaller one is too small. */
static void assert_request(const struct http_head *head, enum http_framing framing, uint64_t length, const char *want)
{
	for (size_t cap = 0; cap <= strlen(want); cap++) {
		char *out = malloc(cap ? cap : 1);
		size_t n = write_request(out, cap, head, framing, length);
		assert_int_equal(n, cap == strlen(want) ? cap : 0);
		if (n && memcmp(out, want, n) != 0)
			fail_msg("%.*s", (int)n, out);
		free(out);
	}
}

static void assert_answer(const struct http_head *head, enum http_framing framing, uint64_t length, bool close,
                          const char *want)
{
	for (size_t cap = 0; cap <= strlen(want); cap++) {
		char *out = malloc(cap ? cap : 1);
		size_t n = http_write_answer(out, cap, head, framing, length, SLICE(""), close);
		if (cap == strlen(want) && (n != cap || memcmp(out, want, n) != 0))
			fail_msg("%.*s", (int)n, out);
		assert_int_equal(n, cap == strlen(want) ? cap : 0);
		free(out);
	}
}

#define START "POST /_wmcs/a.asmx HTTP/1.1\r\nHost: rms.example\r\nAuthorization: Bearer t\r\n"

static void only_what_is_listed_travels_to_the_cloud(void **state)
{
	struct http_head head;
	read_request(
	        "POST /_WMCS/A.asmx HTTP/1.1\r\nHost: conn\r\nAuthorization: Negotiate secret\r\nCookie: secret\r\n"
	        "proxy-authorization: secret\r\nX-Forwarded-For: 10.0.0.1\r\nForwarded: for=a\r\nVia: 1.1 a\r\n"
	        "content-TYPE:  text/xml; charset=utf-8 \r\nSOAPAction: \"a\"\r\nUser-Agent: MSIPC;v=1\r\n"
	        "ACCEPT: a\r\nAccept: b\r\nAccept-Encoding: gzip\r\nAccept-Language: de\r\nAccept-Charset: x\r\n"
	        "Cache-Control: no-cache\r\nContent-Length: 5\r\nConnection: keep-alive\r\nKeep-Alive: x\r\n"
	        "TE: trailers\r\nTrailer: x\r\nUpgrade: h2c\r\nExpect: 100-continue\r\nReferer: http://secret/\r\n"
	        "Proxy-Connection: close\r\nContent-Encoding: gzip\r\nX-Rms-Anything: y\r\nRange: bytes=0-1\r\n\r\n",
	        &head);
	assert_request(&head, BODY_LENGTH, 5,
	               START "content-TYPE: text/xml; charset=utf-8\r\nSOAPAction: \"a\"\r\nUser-Agent: MSIPC;v=1\r\n"
	                     "ACCEPT: a\r\nAccept: b\r\nAccept-Encoding: gzip\r\nAccept-Language: de\r\n"
	                     "Accept-Charset: x\r\nCache-Control: no-cache\r\nContent-Length: 5\r\n\r\n");
}

static void framing_is_our_own(void **state)
{
	struct http_head head;
	read_request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", &head);
	assert_request(&head, BODY_CHUNKED, 0, START "Transfer-Encoding: chunked\r\n\r\n");
	assert_request(&head, BODY_LENGTH, 0, START "Content-Length: 0\r\n\r\n");
	assert_request(&head, BODY_NONE, 99, START "Content-Length: 0\r\n\r\n");
	assert_request(&head, BODY_LENGTH, UINT64_MAX, START "Content-Length: 18446744073709551615\r\n\r\n");
}

static void headers_named_by_connection_stop_here(void **state)
{
	struct http_head head;
	read_request("POST / HTTP/1.1\r\nHost: a\r\nConnection: x-foo , Accept,,close\r\nAccept: b\r\n"
	             "User-Agent: c\r\nconnection: CACHE-control\r\nCache-Control: d\r\n\r\n",
	             &head);
	assert_request(&head, BODY_NONE, 0, START "User-Agent: c\r\nContent-Length: 0\r\n\r\n");
	read_answer(
	        "HTTP/1.1 200 OK\r\nX-Foo: 1\r\nX-Food: 2\r\nConnection: x-FOO\r\nContent-Length: 5\r\nX-Fo: 3\r\n\r\n",
	        &head);
	assert_answer(&head, BODY_LENGTH, 5, false,
	              "HTTP/1.1 200 OK\r\nX-Food: 2\r\nX-Fo: 3\r\nContent-Length: 5\r\n\r\n");
}

static void what_is_listed_does_not_travel_to_the_caller(void **state)
{
	struct http_head head;
	read_answer(
	        "HTTP/1.1 500 Oh\xe4 no\r\nContent-Type: text/xml\r\nX-Powered-BY:  x\r\nSet-Cookie: secret\r\n"
	        "Set-Cookie2: secret\r\nWWW-Authenticate: Bearer\r\nProxy-Authenticate: x\r\nLocation: http://x/\r\n"
	        "Authentication-Info: x\r\nAlt-Svc: h3\r\nStrict-Transport-Security: max-age=1\r\nServer: \r\n"
	        "Transfer-Encoding: chunked\r\nTrailer: x\r\nConnection: keep-alive\r\nKeep-Alive: x\r\n"
	        "Content-Encoding: gzip\r\nDate: now\r\nRetry-After: 5\r\nCache-Control: private\r\nX-Powered-By: y\r\n"
	        "Upgrade: h2\r\nProxy-Connection: x\r\nHost: x\r\nTE: x\r\n\r\n",
	        &head);
	assert_answer(&head, BODY_CHUNKED, 0, false,
	              "HTTP/1.1 500 Oh\xe4 no\r\nContent-Type: text/xml\r\nX-Powered-BY: x\r\nServer: \r\n"
	              "Content-Encoding: gzip\r\nDate: now\r\nRetry-After: 5\r\nCache-Control: private\r\n"
	              "X-Powered-By: y\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void answers_say_close_when_we_close(void **state)
{
	struct http_head head;
	read_answer("HTTP/1.0 200\r\nA: b\r\n\r\n", &head);
	assert_answer(&head, BODY_UNTIL_CLOSE, 0, true, "HTTP/1.1 200 \r\nA: b\r\nConnection: close\r\n\r\n");
	read_answer("HTTP/1.1 204 No Content\r\n\r\n", &head);
	assert_answer(&head, BODY_NONE, 0, false, "HTTP/1.1 204 No Content\r\n\r\n");
}

/* What we write, our own guard and parser accept, with nothing lost. */
static void written_heads_can_be_read_back(void **state)
{
	struct http_head head, again;
	char out[1024];
	size_t scanned = 0;
	enum guard_reason why;
	read_request("POST / HTTP/1.1\r\nHost: a\r\nSOAPAction: \"b\"\r\nAccept:\r\n\r\n", &head);
	size_t n = write_request(out, sizeof(out), &head, BODY_CHUNKED, 0);
	assert_int_equal(http_guard_request(out, n, &scanned, &limits, &why), n);
	assert_true(http_parse_request(out, n, &again, &why));
	assert_true(slice_equal(http_head_get(&again, HDR_SOAPACTION), SLICE("\"b\"")));
	assert_int_equal(again.header_count, 5);
	assert_int_equal(again.framing, BODY_CHUNKED);
}

static void chunk_starts_are_hexadecimal(void **state)
{
	for (unsigned bit = 0; bit <= 64; bit++) {
		char out[18], want[32];
		uint64_t n = bit == 64 ? 0 : 1ull << bit;
		for (int d = -1; d <= 1; d++) {
			int len = sprintf(want, "%llx\r\n", (unsigned long long)(n + (uint64_t)d));
			assert_int_equal(http_write_chunk_start(out, n + (uint64_t)d), len);
			assert_memory_equal(out, want, len);
		}
	}
}

static void every_status_we_make_has_words(void **state)
{
	static const unsigned ours[] = {200, 400, 401, 403, 404, 405, 408, 413, 415, 417, 429, 431, 500, 503};
	for (size_t i = 0; i < ARRAY_COUNT(ours); i++)
		assert_string_not_equal(http_status_reason(ours[i]), http_status_reason(599));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(only_what_is_listed_travels_to_the_cloud),
	        cmocka_unit_test(framing_is_our_own),
	        cmocka_unit_test(headers_named_by_connection_stop_here),
	        cmocka_unit_test(what_is_listed_does_not_travel_to_the_caller),
	        cmocka_unit_test(answers_say_close_when_we_close),
	        cmocka_unit_test(written_heads_can_be_read_back),
	        cmocka_unit_test(chunk_starts_are_hexadecimal),
	        cmocka_unit_test(every_status_we_make_has_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
