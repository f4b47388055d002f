/* Roles from groups, and names without a name service. */
#include "core/ops/admin_peer.h"
#include "core/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const char groups[] = "root:x:0:\nlook:x:500:alice\nbad line\nhuge:x:99999999999:\nwork:x:501:\nlast:x:502:";

static void set(struct settings *s, enum setting_id id, const char *text)
{
	assert_true(settings_set_text(s, id, text, strlen(text)));
}

static void the_highest_role_of_all_groups_counts(void **state)
{
	struct settings *s = settings_new();
	struct admin_roles r;
	set(s, SETTING_admin_viewers, "look, 700");
	set(s, SETTING_admin_operators, "work");
	set(s, SETTING_admin_security_admins, "last");
	set(s, SETTING_admin_group, "look");
	assert_int_equal(admin_roles_read(s, SLICE(groups), 1000, &r).code, ERR_NONE);
	assert_true(r.has_socket_group && r.socket_group == 500);
	assert_int_equal(admin_role_of(&r, 0, NULL, 0), ADMIN_SECURITY);
	assert_int_equal(admin_role_of(&r, 1000, NULL, 0), ADMIN_SECURITY);
	assert_int_equal(admin_role_of(&r, 2000, NULL, 0), ADMIN_NOBODY);
	assert_int_equal(admin_role_of(&r, 2000, (uint32_t[]){1, 700}, 2), ADMIN_VIEWER);
	assert_int_equal(admin_role_of(&r, 2000, (uint32_t[]){500, 501}, 2), ADMIN_OPERATOR);
	assert_int_equal(admin_role_of(&r, 2000, (uint32_t[]){502, 500}, 2), ADMIN_SECURITY);
	assert_int_equal(admin_role_of(&r, 2000, (uint32_t[]){503}, 1), ADMIN_NOBODY);
	settings_free(s);
}

static void a_group_that_is_not_there_is_named(void **state)
{
	static const char *const lists[] = {"nobody-here", "look,,work", "look work", "-1", "4294967295", "bad line"};
	for (size_t i = 0; i < ARRAY_COUNT(lists); i++) {
		struct settings *s = settings_new();
		struct admin_roles r;
		set(s, SETTING_admin_operators, lists[i]);
		struct err e = admin_roles_read(s, SLICE(groups), 1000, &r);
		assert_int_equal(e.code, ERR_SETTINGS);
		assert_non_null(strstr(e.what, "admin.operators"));
		settings_free(s);
	}
}

static void names_come_from_the_file_alone(void **state)
{
	char name[ADMIN_NAME_BYTES];
	uint32_t id;
	assert_true(admin_id_of(SLICE(groups), SLICE("last"), &id) && id == 502);
	assert_false(admin_id_of(SLICE(groups), SLICE("huge"), &id));
	assert_false(admin_id_of(SLICE(groups), SLICE(""), &id));
	assert_true(admin_name_of(SLICE(groups), 501, name));
	assert_string_equal(name, "work");
	assert_false(admin_name_of(SLICE(groups), 77, name));
	assert_string_equal(name, "");
}

static void the_kernel_says_who_is_there(void **state)
{
	int pair[2];
	struct settings *s = settings_new();
	struct admin_roles r;
	struct admin_peer peer;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(admin_roles_read(s, SLICE(groups), (uint32_t)geteuid(), &r).code, ERR_NONE);
	assert_true(admin_peer_read(pair[0], &r, &peer));
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.role, ADMIN_SECURITY);
	close(pair[0]);
	assert_false(admin_peer_read(pair[0], &r, &peer));
	close(pair[1]);
	settings_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_highest_role_of_all_groups_counts),
	        cmocka_unit_test(a_group_that_is_not_there_is_named),
	        cmocka_unit_test(names_come_from_the_file_alone),
	        cmocka_unit_test(the_kernel_says_who_is_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
