#include "core/base/address_list.h"
#include "core/base/check.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage a = {0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&a;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a;
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
		v4->sin_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
		v6->sin6_family = AF_INET6;
	return a;
}

static void prefixes_cover_what_they_say(void **state)
{
	static const struct {
		const char *prefix, *address;
		bool covers;
	} rows[] = {
	        {"10.0.0.0/8", "10.255.0.1", true},
	        {"10.0.0.0/8", "11.0.0.1", false},
	        {"10.128.0.0/9", "10.127.255.255", false},
	        {"10.128.0.0/9", "10.128.0.0", true},
	        {"192.0.2.7", "192.0.2.7", true},
	        {"192.0.2.7", "192.0.2.6", false},
	        {"192.0.2.7/32", "::ffff:192.0.2.7", true}, /* as a dual socket shows it */
	        {"0.0.0.0/0", "203.0.113.9", true},
	        {"0.0.0.0/0", "2001:db8::1", false},
	        {"::/0", "2001:db8::1", true},
	        {"2001:db8::/33", "2001:db8:7fff::1", true},
	        {"2001:db8::/33", "2001:db8:8000::1", false},
	        {"::1", "::1", true},
	        {"::1", "::2", false},
	        {"10.0.0.0/8", "", false}, /* a Unix socket, or nothing */
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct address_prefix p;
		struct sockaddr_storage a = address(rows[i].address);
		assert_null(address_prefix_parse(rows[i].prefix, &p));
		assert_int_equal(address_prefix_covers(&p, &a), rows[i].covers);
	}
}

static void other_texts_are_refused_with_words(void **state)
{
	static const char *const texts[] = {"",
	                                    "10",
	                                    "10.0.0.0/",
	                                    "10.0.0.0/33",
	                                    "10.0.0.0/-1",
	                                    "10.0.0.0/8 ",
	                                    "10.0.0.0/08",
	                                    "10.0.0.1/8",
	                                    "10.0.0.0/+8",
	                                    "::/129",
	                                    "::1/64",
	                                    "host",
	                                    "10.0.0.0/8/8",
	                                    "10.0.0.0/9999999999999",
	                                    "01.2.3.4",
	                                    "[::1]",
	                                    "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee"};
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		struct address_prefix p;
		assert_non_null(address_prefix_parse(texts[i], &p));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(prefixes_cover_what_they_say),
	        cmocka_unit_test(other_texts_are_refused_with_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
