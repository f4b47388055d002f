/* Who may answer in authd's place. */
#include "core/relay/authd_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void root_ourselves_and_the_owner_of_the_place_may(void **state)
{
	char folder[] = "/tmp/test_authd_peer_XXXXXX", path[64];
	uid_t owner = geteuid(), us = owner + 1000, other = owner + 2000;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/authd.socket", folder);
	assert_true(authd_peer_may(path, 0, us));
	assert_true(authd_peer_may(path, us, us));
	assert_false(authd_peer_may(path, other, us));
	if (geteuid() == 0) { /* else root's place is nobody else's */
		owner = 65533;
		assert_int_equal(chown(folder, owner, (gid_t)-1), 0);
	}
	assert_true(authd_peer_may(path, owner, us));
	assert_false(authd_peer_may("/nowhere/at/all", owner, us));
	assert_int_equal(chmod(folder, 0777), 0); /* anybody could have put it there */
	if (owner)
		assert_false(authd_peer_may(path, owner, us));
	assert_true(authd_peer_may(path, us, us));
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(root_ourselves_and_the_owner_of_the_place_may)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
