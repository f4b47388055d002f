/* H03, H04, H05: CONNECT as it is written, answers in every split, and lists of hosts that go past the proxy. */
#include "core/base/check.h"
#include "proto/proxy_connect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void the_request_is_written(void **state)
{
	size_t len;
	char *plain = proxy_connect_make("a.rms.eu.aadrm.com", 443, SLICE(""), SLICE(""), &len);
	assert_string_equal(plain, "CONNECT a.rms.eu.aadrm.com:443 HTTP/1.1\r\nHost: a.rms.eu.aadrm.com:443\r\n\r\n");
	assert_int_equal(len, strlen(plain));
	free(plain);
	/* RFC 7617 2: the example of the standard. */
	char *basic = proxy_connect_make("2001:db8::1", 8443, SLICE("Aladdin"), SLICE("open sesame"), &len);
	assert_string_equal(basic, "CONNECT [2001:db8::1]:8443 HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\n"
	                           "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
	assert_int_equal(len, strlen(basic));
	free(basic);
}

static enum proxy_answer read_in_two(const char *text, size_t split, char words[static PROXY_WORDS_BYTES])
{
	struct proxy_reader *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	enum proxy_answer a = proxy_reader_take(r, text, split);
	if (a == PROXY_WAITS)
		a = proxy_reader_take(r, text + split, strlen(text) - split);
	memcpy(words, r->words, PROXY_WORDS_BYTES);
	free(r);
	return a;
}

static void answers_are_read_wherever_they_are_split(void **state)
{
	static const struct {
		const char *text;
		enum proxy_answer want;
		const char *words;
	} cases[] = {
	        {"HTTP/1.1 200 Connection established\r\n\r\n", PROXY_OPEN, ""},
	        {"HTTP/1.0 200 OK\r\nProxy-agent: x\r\n\r\n", PROXY_OPEN, ""},
	        {"HTTP/1.1 299 Odd\r\n\r\n", PROXY_OPEN, ""},
	        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n", PROXY_OPEN, ""},
	        {"HTTP/1.1 200 OK\r\n", PROXY_WAITS, ""},
	        {"HTTP/1.1 100 Continue\r\n\r\n", PROXY_WAITS, ""},
	        {"HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n", PROXY_REFUSED, "301 Moved: a redirect"},
	        {"HTTP/1.1 407 Auth\r\nProxy-Authenticate: BASIC\r\n\r\n", PROXY_REFUSED, "by BASIC: give proxy.user"},
	        {"HTTP/1.1 600 Odd\r\n\r\n", PROXY_REFUSED, "is not valid HTTP"},
	        {"ICY 200 OK\r\n\r\n", PROXY_REFUSED, "is not valid HTTP"},
	};
	char words[PROXY_WORDS_BYTES];
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		for (size_t split = 0; split <= strlen(cases[i].text); split++) {
			assert_int_equal(read_in_two(cases[i].text, split, words), cases[i].want);
			assert_non_null(strstr(words, cases[i].words));
		}
}

static void nothing_may_stand_behind_the_head(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\n\r\nx";
	char words[PROXY_WORDS_BYTES];
	for (size_t split = 0; split < strlen(text) - 1; split++) {
		assert_int_equal(read_in_two(text, split, words), PROXY_REFUSED);
		assert_non_null(strstr(words, "bytes of its own"));
	}
}

static void an_endless_head_is_refused(void **state)
{
	struct proxy_reader *r = calloc(1, sizeof(*r));
	enum proxy_answer a = proxy_reader_take(r, "HTTP/1.1 200 OK\r\nX: ", 20);
	size_t n = 20;
	for (; a == PROXY_WAITS && n < 2 * PROXY_ANSWER_MAX; n++)
		a = proxy_reader_take(r, "x", 1);
	assert_int_equal(a, PROXY_REFUSED);
	assert_true(n <= PROXY_ANSWER_MAX);
	free(r);
}

static void hosts_go_past_the_proxy(void **state)
{
	static const struct {
		const char *list, *host;
		bool past;
	} cases[] = {
	        {"", "a.test", false},
	        {"a.test", "a.test", true},
	        {"A.TEST", "a.test", true},
	        {"a.test", "b.a.test", false},
	        {".a.test", "b.a.test", true},
	        {"*.a.test", "c.b.a.test", true},
	        {".a.test", "a.test", false},
	        {".a.test", "xa.test", false},
	        {"x, 10.0.0.0/8 ,y", "10.9.8.7", true},
	        {"10.0.0.0/8", "11.0.0.1", false},
	        {"10.0.0.0/8", "ten.test", false},
	        {"2001:db8::/32", "2001:db8::7", true},
	        {"::1", "::1", true},
	        {"127.0.0.1", "::ffff:127.0.0.1", true},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		assert_int_equal(proxy_bypasses(slice_str(cases[i].list), cases[i].host), cases[i].past);
}

static void wrong_lists_are_told(void **state)
{
	static const char *const good[] = {"", "a", " a , .b.test,*.c, 10.0.0.0/8,::1"};
	static const char *const bad[] = {",",       "a,,b",        "a,",  "http://a", "a:80",  "a/b",  "*",
	                                  "a*.test", "10.0.0.0/33", "a b", ".",        "*.*.a", "[::1]"};
	struct slice entry;
	for (size_t i = 0; i < ARRAY_COUNT(good); i++)
		assert_null(proxy_bypass_check(slice_str(good[i]), &entry));
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_non_null(proxy_bypass_check(slice_str(bad[i]), &entry));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_request_is_written),
	        cmocka_unit_test(answers_are_read_wherever_they_are_split),
	        cmocka_unit_test(nothing_may_stand_behind_the_head),
	        cmocka_unit_test(an_endless_head_is_refused),
	        cmocka_unit_test(hosts_go_past_the_proxy),
	        cmocka_unit_test(wrong_lists_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
