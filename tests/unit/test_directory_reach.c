/* A controller that does not answer: its name, the way to it, or neither. */
#include "core/authd/directory_reach.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct directory_problem why;

/* A socket with a port of its own on loopback; it listens, or nobody does. */
static int bound(bool listens, int *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	if (listens)
		assert_int_equal(listen(fd, 4), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static void test_a_port_that_takes_connections(void **state)
{
	int port, fd = bound(true, &port);
	assert_false(directory_reach_fails("127.0.0.1", port, clock_now() + 1000000, &why));
	close(fd);
}

static void test_a_port_where_nobody_listens(void **state)
{
	int port, fd = bound(false, &port);
	assert_true(directory_reach_fails("127.0.0.1", port, clock_now() + 1000000, &why));
	assert_non_null(strstr(why.what, "no TCP connection to port"));
	assert_non_null(strstr(why.what, "Connection refused"));
	assert_non_null(strstr(why.mend, "firewall"));
	close(fd);
}

/* No label of a name has 64 bytes, so no name server is asked. */
static void test_a_name_that_cannot_be(void **state)
{
	char name[80];
	memset(name, 'x', 64);
	strcpy(name + 64, ".corp.test");
	assert_true(directory_reach_fails(name, 389, clock_now() + 1000000, &why));
	assert_non_null(strstr(why.what, "DNS has no address of it"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_a_port_that_takes_connections),
	        cmocka_unit_test(test_a_port_where_nobody_listens),
	        cmocka_unit_test(test_a_name_that_cannot_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
