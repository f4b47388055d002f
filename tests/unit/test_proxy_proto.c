/* PROXY headers: what is read of those that balancers send, and why others are refused, byte by byte. */
#include "core/base/check.h"
#include "core/base/slice.h"
#include "core/net/proxy_proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define SIGNATURE     "\r\n\r\n\0\r\nQUIT\n"
#define V4            "\xc0\x00\x02\x07\xc0\x00\x02\x01\x9c\x40\x01\xbb"
#define V6_SOURCE     "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
#define V6            V6_SOURCE "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x9c\x40\x01\xbb"
#define MAPPED_192027 "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x07"

/* A copy of the exact size, so that a sanitizer sees any byte read too many. */
static long read_copy(struct slice s, size_t n, struct proxy_caller *out, enum proxy_reason *why)
{
	char *copy = malloc(n ? n : 1);
	memcpy(copy, s.at, n);
	long len = proxy_proto_read(copy, n, out, why);
	free(copy);
	return len;
}

static const struct {
	struct slice bytes;
	const char *address; /* 16 bytes; NULL: the balancer for itself */
} good[] = {
        {SLICE("PROXY TCP4 192.0.2.7 192.0.2.1 40000 443\r\n"), MAPPED_192027},
        {SLICE("PROXY TCP4 192.0.2.7 255.255.255.255 0 65535\r\n"), MAPPED_192027},
        {SLICE("PROXY TCP6 2001:db8::7 2001:db8::1 40000 443\r\n"), V6_SOURCE},
        {SLICE("PROXY TCP6 ::ffff:192.0.2.7 ::1 40000 443\r\n"), MAPPED_192027},
        {SLICE("PROXY UNKNOWN\r\n"), NULL},
        {SLICE("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"), NULL},
        {SLICE(SIGNATURE "\x21\x11\0\x0c" V4), MAPPED_192027},
        {SLICE(SIGNATURE "\x21\x21\0\x24" V6), V6_SOURCE},
        {SLICE(SIGNATURE "\x21\x11\0\x0f" V4 "\x04\0\0"), MAPPED_192027},                   /* an empty NOOP */
        {SLICE(SIGNATURE "\x21\x11\0\x13" V4 "\x02\0\x04host"), MAPPED_192027},             /* AUTHORITY */
        {SLICE(SIGNATURE "\x21\x11\0\x13" V4 "\x03\0\x04\xcf\x66\x39\xa9"), MAPPED_192027}, /* CRC32C */
        {SLICE(SIGNATURE "\x20\0\0\0"), NULL},
        {SLICE(SIGNATURE "\x20\x11\0\x0c" V4), NULL},
        {SLICE(SIGNATURE "\x20\x31\0\x02zz"), NULL},
        {SLICE(SIGNATURE "\x21\0\0\0"), NULL},
};

static void headers_are_read_and_wait_until_they_are_whole(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		struct proxy_caller caller;
		enum proxy_reason why;
		char behind[300];
		size_t len = good[i].bytes.len;
		for (size_t n = 0; n < len; n++)
			assert_int_equal(read_copy(good[i].bytes, n, &caller, &why), 0);
		assert_int_equal(read_copy(good[i].bytes, len, &caller, &why), len);
		assert_int_equal(caller.known, good[i].address != NULL);
		if (caller.known)
			assert_memory_equal(caller.address, good[i].address, sizeof(caller.address));
		memcpy(behind, good[i].bytes.at, len);
		memcpy(behind + len, "POST / HTTP/1.1\r\n", 17);
		assert_int_equal(read_copy(slice_of(behind, len + 17), len + 17, &caller, &why), len);
	}
}

#define FIFTY "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
	struct slice bytes;
	enum proxy_reason why;
} bad[] = {
        {SLICE("G"), PROXY_ABSENT},
        {SLICE("POST / HTTP/1.1\r\n"), PROXY_ABSENT},
        {SLICE("PROXX"), PROXY_ABSENT},
        {SLICE("PROXY\r\n"), PROXY_ABSENT},
        {SLICE("proxy TCP4 "), PROXY_ABSENT},
        {SLICE("\x16\x03\x01"), PROXY_ABSENT},
        {SLICE("\r\n\r\n\0\r\nQUIX"), PROXY_ABSENT},
        {SLICE("PROXY \r\n"), PROXY_LINE_ODD},
        {SLICE("PROXY TCP5 192.0.2.7 192.0.2.1 1 2\r\n"), PROXY_LINE_ODD},
        {SLICE("PROXY tcp4 192.0.2.7 192.0.2.1 1 2\r\n"), PROXY_LINE_ODD},
        {SLICE("PROXY UNKNOWNS\r\n"), PROXY_LINE_ODD},
        {SLICE("PROXY TCP4  192.0.2.7 192.0.2.1 1 2\r\n"), PROXY_LINE_ODD},
        {SLICE("PROXY TCP4 192.0.2.7 192.0.2.1 1 2 \r\n"), PROXY_LINE_ODD},
        {SLICE("PROXY TCP4 192.0.2.7 192.0.2.1 1 2 3\r\n"), PROXY_LINE_ODD},
        {SLICE("PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n"), PROXY_LINE_ODD},
        {SLICE("PROXY TCP4 192.0.2.7\r\n"), PROXY_LINE_ODD},
        {SLICE("PROXY TCP4 192.0.2.07 192.0.2.1 1 2\r\n"), PROXY_LINE_ODD},
        {SLICE("PROXY TCP4 192.0.2 192.0.2.1 1 2\r\n"), PROXY_LINE_ODD},
        {SLICE("PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n"), PROXY_LINE_ODD},
        {SLICE("PROXY TCP6 192.0.2.7 192.0.2.1 1 2\r\n"), PROXY_LINE_ODD},
        {SLICE("PROXY TCP4 192.0.2.7 192.0.2.1 65536 2\r\n"), PROXY_LINE_ODD},
        {SLICE("PROXY TCP4 192.0.2.7 192.0.2.1 1 02\r\n"), PROXY_LINE_ODD},
        {SLICE("PROXY TCP4 192.0.2.7 192.0.2.1 -1 2\r\n"), PROXY_LINE_ODD},
        {SLICE("PROXY TCP4 192.0.2.7 192.0.2.1 1 123456\r\n"), PROXY_LINE_ODD},
        {SLICE("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n"), PROXY_LINE_ODD},
        {SLICE("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\rx"), PROXY_LINE_ODD},
        {SLICE("PROXY TCP4\t192.0.2.7"), PROXY_LINE_ODD},
        {SLICE("PROXY TCP4 192.0.2.7\0"), PROXY_LINE_ODD},
        {SLICE("PROXY UNKNOWN \x80"), PROXY_LINE_ODD},
        {SLICE("PROXY UNKNOWN " FIFTY FIFTY), PROXY_TOO_LONG},
        {SLICE(SIGNATURE "\x11\x11\0\x0c"), PROXY_VERSION},
        {SLICE(SIGNATURE "\x31\x11\0\x0c"), PROXY_VERSION},
        {SLICE(SIGNATURE "\x22\x11\0\x0c"), PROXY_VERSION},
        {SLICE(SIGNATURE "\x21\x12\0\x0c"), PROXY_TRANSPORT}, /* UDP */
        {SLICE(SIGNATURE "\x21\x31\0\xd8"), PROXY_TRANSPORT}, /* a Unix socket */
        {SLICE(SIGNATURE "\x21\x10\0\x0c"), PROXY_TRANSPORT},
        {SLICE(SIGNATURE "\x21\x11\x02\x09"), PROXY_TOO_LONG}, /* 521 + 16 */
        {SLICE(SIGNATURE "\x20\x11\xff\xff"), PROXY_TOO_LONG},
        {SLICE(SIGNATURE "\x21\x11\0\x0b"), PROXY_LENGTHS},
        {SLICE(SIGNATURE "\x21\x21\0\x0c"), PROXY_LENGTHS},
        {SLICE(SIGNATURE "\x21\x11\0\x0d" V4 "\x04"), PROXY_LENGTHS},
        {SLICE(SIGNATURE "\x21\x11\0\x0f" V4 "\x04\0\x01"), PROXY_LENGTHS},
        {SLICE(SIGNATURE "\x21\x11\0\x11" V4 "\x03\0\x02\0\0"), PROXY_LENGTHS},
        {SLICE(SIGNATURE "\x21\x11\0\x13" V4 "\x03\0\x04\xcf\x66\x39\xa8"), PROXY_CHECKSUM},
};

static void others_are_refused_with_their_reason(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct proxy_caller caller;
		enum proxy_reason why = PROXY_REASON_COUNT;
		long len = read_copy(bad[i].bytes, bad[i].bytes.len, &caller, &why);
		if (len != -1 || why != bad[i].why)
			print_error("row %zu: %ld %s\n", i, len,
			            why < PROXY_REASON_COUNT ? proxy_reason_names[why] : "-");
		assert_int_equal(len, -1);
		assert_int_equal(why, bad[i].why);
	}
}

/* One byte less each time: it is told when that is sure, and never read past the end. */
static void the_longest_are_taken_and_no_longer_ones(void **state)
{
	char bytes[PROXY_BYTES + 1] = "PROXY UNKNOWN ";
	struct proxy_caller caller;
	enum proxy_reason why;
	memset(bytes + 14, 'x', 200);
	memcpy(bytes + PROXY_V1_BYTES - 2, "\r\n", 2);
	assert_int_equal(read_copy(slice_of(bytes, PROXY_V1_BYTES), PROXY_V1_BYTES, &caller, &why), PROXY_V1_BYTES);
	memcpy(bytes + PROXY_V1_BYTES - 2, "x\r\n", 3);
	assert_int_equal(read_copy(slice_of(bytes, PROXY_V1_BYTES + 1), PROXY_V1_BYTES + 1, &caller, &why), -1);
	assert_int_equal(why, PROXY_TOO_LONG);
	memcpy(bytes, SIGNATURE "\x21\x11\x02\x08" V4 "\x04\x01\xf9", 31);
	assert_int_equal(read_copy(slice_of(bytes, PROXY_BYTES), PROXY_BYTES, &caller, &why), PROXY_BYTES);
	assert_int_equal(read_copy(slice_of(bytes, PROXY_BYTES - 1), PROXY_BYTES - 1, &caller, &why), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(headers_are_read_and_wait_until_they_are_whole),
	        cmocka_unit_test(others_are_refused_with_their_reason),
	        cmocka_unit_test(the_longest_are_taken_and_no_longer_ones),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
