/* URLs of the cloud in settings: taken apart, or refused with words that say what to mend. */
#include "core/base/check.h"
#include "proto/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define LABEL63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *text, *host;
	bool tls;
	uint16_t port;
	const char *path;
} good[] = {
        {"http://a", "a", false, 80, ""},
        {"https://a", "a", true, 443, ""},
        {"HTTPS://RMS.Example.COM/", "rms.example.com", true, 443, "/"},
        {"http://a:8080/_wmcs/licensing", "a", false, 8080, "/_wmcs/licensing"},
        {"http://a:1", "a", false, 1, ""},
        {"http://a:65535/", "a", false, 65535, "/"},
        {"http://10.1.2.3:80", "10.1.2.3", false, 80, ""},
        {"https://[::1]", "::1", true, 443, ""},
        {"https://[FE80::A]:8443/x", "fe80::a", true, 8443, "/x"},
        {"http://[::ffff:10.0.0.1]", "::ffff:10.0.0.1", false, 80, ""},
        {"http://my_host-1.x1", "my_host-1.x1", false, 80, ""},
        {"http://1a.2b", "1a.2b", false, 80, ""},
        {"http://xn--bcher-kva.example", "xn--bcher-kva.example", false, 80, ""},
        {"http://" LABEL63 ".b", LABEL63 ".b", false, 80, ""},
        {"http://a/%20:@[]", "a", false, 80, "/%20:@[]"},
};

static const struct {
	const char *text, *words; /* part of what is said */
} bad[] = {
        {"", "http://"},
        {"a", "http://"},
        {"a.example:443", "http://"},
        {"ftp://a", "http://"},
        {"http:/a", "http://"},
        {" http://a", "http://"},
        {"httpx://a", "http://"},
        {"http://", "missing"},
        {"http:///a", "missing"},
        {"http://:80", "missing"},
        {"http://[]", "missing"},
        {"http://a?b", "query"},
        {"http://a/?b", "query"},
        {"http://a/#b", "fragment"},
        {"http://a#b", "fragment"},
        {"http://u@a", "user name"},
        {"http://u:p@a/", "user name"},
        {"http://a:", "port"},
        {"http://a:/", "port"},
        {"http://a:0", "port"},
        {"http://a:65536", "port"},
        {"http://a:4294967376", "port"},
        {"http://a:80x", "port"},
        {"http://a:+80", "port"},
        {"http://a: 80", "port"},
        {"http://a:80:80", "port"},
        {"http://::1", "missing"},
        {"http://[::1", "closing"},
        {"http://[::1]x", "followed"},
        {"http://[1.2.3.4]", "IPv6"},
        {"http://[fe80::1%eth0]", "IPv6"},
        {"http://[:::]", "IPv6"},
        {"http://a..b", "dot too many"},
        {"http://.a", "dot too many"},
        {"http://a.", "dot too many"},
        {"http://-a", "'-'"},
        {"http://a-.b", "'-'"},
        {"http://a b", "character"},
        {"http://a%41", "character"},
        {"http://b\xc3\xbc"
         "cher",
         "xn--"},
        {"http://a,b", "character"},
        {"http://" LABEL63 "a", "63"},
        {"http://" LABEL63 "." LABEL63 "." LABEL63 "." LABEL63, "253"},
        {"http://1.2.3", "IPv4"},
        {"http://1", "IPv4"},
        {"http://256.1.1.1", "IPv4"},
        {"http://1.2.3.4.5", "IPv4"},
        {"http://01.2.3.4", "IPv4"},
        {"http://0x7f.1", "IPv4"},
        {"http://a.0x7f", "IPv4"},
        {"http://a/b c", "path"},
        {"http://a/\x01", "path"},
        {"http://a/\xe4", "path"},
        {"http://a\\b", "character"},
};

static void good_urls_come_apart(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		struct uri u;
		const char *wrong = uri_parse(slice_str(good[i].text), &u);
		if (wrong)
			fail_msg("%s: %s", good[i].text, wrong);
		assert_string_equal(u.host, good[i].host);
		assert_int_equal(u.tls, good[i].tls);
		assert_int_equal(u.port, good[i].port);
		assert_true(slice_equal(u.path, slice_str(good[i].path)));
	}
}

static void bad_urls_are_refused_in_words(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct uri u = {.port = 7};
		const char *wrong = uri_parse(slice_str(bad[i].text), &u);
		if (!wrong || !strstr(wrong, bad[i].words))
			fail_msg("%s: %s", bad[i].text, wrong ? wrong : "accepted");
		assert_int_equal(u.port, 7); /* untouched */
	}
}

static void a_nul_inside_is_refused(void **state)
{
	struct uri u;
	assert_non_null(uri_parse(SLICE("http://a\0b"), &u));
	assert_non_null(uri_parse(SLICE("http://[::1\0]"), &u));
	assert_non_null(uri_parse(SLICE("http://1.2.3.4\0"), &u));
	assert_non_null(uri_parse(SLICE("http://a/\0"), &u));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(good_urls_come_apart),
	        cmocka_unit_test(bad_urls_are_refused_in_words),
	        cmocka_unit_test(a_nul_inside_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
