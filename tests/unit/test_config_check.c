/* What values mean together: the URL, name servers, warnings, and the files that settings name. */
#include "tests/support/config_case.h"

static void wrong_name_servers_are_told(void **state)
{
	static const char *const bad[] = {
	        "ns.corp",     "10.0.0.53:",      ":53",  "*:53",     "10.0.0.53,,10.0.0.54", "10.0.0.53 10.0.0.54",
	        "10.0.0.53:0", "10.0.0.53:70000", "[::1", "1.2.3.4.5"};
	static const char *const good[] = {"10.0.0.53", "10.0.0.53:53, 10.0.0.54", "[2001:db8::53]:53", "2001:db8::53",
	                                   ""};
	char text[512];
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		snprintf(text, sizeof(text), "%s  dns_servers: \"%s\"\n", GOOD, bad[i]);
		assert_null(load(text));
		assert_int_equal(problems.count, 1);
		assert_true(told("5:16", "numeric addresses with commas"));
	}
	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		snprintf(text, sizeof(text), "%s  dns_servers: \"%s\"\n", GOOD, good[i]);
		struct settings *s = load(text);
		assert_non_null(s);
		assert_string_equal(s->upstream_dns_servers, good[i]);
		settings_free(s);
	}
}

static void the_source_of_the_list_must_fit(void **state)
{
	static const struct {
		const char *list, *words; /* NULL: good */
	} cases[] = {
	        {"list: {source: elsewhere}\n", "must be file or local"},
	        {"list: {source: local}\n", "set node.state_directory"},
	        {"list: {source: local, file: /l.json}\nnode: {state_directory: /tmp}\n", "take one of them away"},
	        {"list: {source: local}\nnode: {state_directory: /tmp}\n", NULL},
	        {"list: {source: file, file: /l.json}\n", NULL},
	};
	char text[512];
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		snprintf(text, sizeof(text), "%s%s", GOOD, cases[i].list);
		struct settings *s = load(text);
		assert_int_equal(s == NULL, cases[i].words != NULL);
		assert_int_equal(problems.count, cases[i].words != NULL);
		if (cases[i].words)
			assert_non_null(strstr(problems.list[0].text, cases[i].words));
		settings_free(s);
	}
}

/* H14 */
static void the_url_is_trimmed_to_its_origin(void **state)
{
	static const struct {
		const char *given, *want;
	} urls[] = {
	        {"https://a.rms.na.aadrm.com", "https://a.rms.na.aadrm.com"},
	        {"https://A.rms.NA.aadrm.com/", "https://a.rms.na.aadrm.com"},
	        {"https://a.rms.na.aadrm.com/_wmcs/licensing", "https://a.rms.na.aadrm.com"},
	        {"https://a.rms.na.aadrm.com/_WMCS/Certification", "https://a.rms.na.aadrm.com"},
	        {"https://a.rms.na.aadrm.com:443/_wmcs", "https://a.rms.na.aadrm.com"},
	        {"https://a.rms.na.aadrm.com:8443/_wmcs/licensing/license.asmx", "https://a.rms.na.aadrm.com:8443"},
	        {"https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"},
#ifdef RMS_TEST_SWITCHES
	        {"http://127.0.0.1:8080", "http://127.0.0.1:8080"},
	        {"http://[::1]:80", "http://[::1]"},
	        {"http://localhost:8080/", "http://localhost:8080"},
#endif
	};
	for (size_t i = 0; i < ARRAY_COUNT(urls); i++) {
		char text[512];
		snprintf(text, sizeof(text), "listeners: [{address: \"0.0.0.0:80\"}]\nupstream: {url: \"%s\"}\n",
		         urls[i].given);
		struct settings *s = load(text);
		if (!s)
			config_problems_print(&problems, stderr);
		assert_non_null(s);
		assert_string_equal(s->upstream_url, urls[i].want);
		settings_free(s);
	}
}

/* H14: as administrators paste it, or what to write instead. */
static void wrong_urls_are_refused_with_advice(void **state)
{
	static const struct {
		const char *given, *words;
	} urls[] = {
	        {"a.rms.na.aadrm.com/_wmcs/licensing", "write https://a.rms.na.aadrm.com/_wmcs/licensing"},
	        {"http://a.rms.na.aadrm.com", "must begin with https://"},
	        {"https://api.aadrm.com", "api., admin. and discover. are other services"},
	        {"https://admin.na.aadrm.com/admin/admin.svc", "must end behind the host name"},
	        {"https://admin.na.aadrm.com", "no tenant's"},
	        {"https://rms.na.aadrm.com", "no tenant's"},
	        {"https://discover.aadrm.us", "no tenant's"},
	        {"https://login.microsoftonline.com", "names the login service"},
	        {"https://guid.rms.region.aadrm.com", "is the example's"},
	        {"https://a.rms.na.aadrm.com/_wmcs/licensing?x=1", "query"},
	        {"https://user@a.rms.na.aadrm.com", "user name"},
	        {"https://a.rms.aadrm.cn", "Write cloud: AzureChinaCloud"},
	        {"https://a.rms.aadrm.us", "Write cloud: AzureUSGovernment"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(urls); i++) {
		char text[512];
		snprintf(text, sizeof(text), "listeners: [{address: \"0.0.0.0:80\"}]\nupstream: {url: \"%s\"}\n",
		         urls[i].given);
		assert_null(load(text));
		assert_int_equal(problems.count, 1);
		assert_true(told("2:17", urls[i].words));
	}
}

/* H15: hosts of every region and cloud, such as none of these sources has ever seen. */
static void tenants_of_every_region_are_accepted(void **state)
{
	static const struct {
		const char *host, *cloud;
	} hosts[] = {
	        {"5c6bb73b-1038-4eec-863d-49bded473437.rms.na.aadrm.com", "AzureCloud"},
	        {"5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.aadrm.com", "AzureCloud"},
	        {"5c6bb73b-1038-4eec-863d-49bded473437.rms.ap.aadrm.com", "azurecloud"},
	        {"5c6bb73b-1038-4eec-863d-49bded473437.rms.sa.aadrm.com", "AzureCloud"},
	        {"5c6bb73b-1038-4eec-863d-49bded473437.rms.ca.aadrm.com", "AzureCloud"},
	        {"5c6bb73b-1038-4eec-863d-49bded473437.rms.govus.aadrm.com", "AzureCloud"},
	        {"5c6bb73b-1038-4eec-863d-49bded473437.rms.atlantis-2.aadrm.com", "AzureCloud"},
	        {"5c6bb73b-1038-4eec-863d-49bded473437.rms.aadrm.us", "AzureUSGovernment"},
	        {"5c6bb73b-1038-4eec-863d-49bded473437.rms.aadrm.cn", "AzureChinaCloud"},
	        {"5c6bb73b-1038-4eec-863d-49bded473437.rms.cne.aadrm.cn", "AzureChinaCloud"},
	        {"5c6bb73b-1038-4eec-863d-49bded473437.rms.secret.example", "AzureUSGovernment2"},
	        {"5c6bb73b-1038-4eec-863d-49bded473437.rms.secret.example", "AzureUSGovernment3"},
	        {"adrms.corp.example", "custom"},
	        {"a.rms.eu.aadrm.com", "custom"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(hosts); i++) {
		char text[512], want[300];
		snprintf(text, sizeof(text),
		         "listeners: [{address: \"0.0.0.0:80\"}]\nupstream:\n  url: https://%s/_wmcs/licensing/\n  "
		         "cloud: %s\n",
		         hosts[i].host, hosts[i].cloud);
		struct settings *s = load(text);
		if (!s)
			config_problems_print(&problems, stderr);
		assert_non_null(s);
		snprintf(want, sizeof(want), "https://%s", hosts[i].host);
		assert_string_equal(s->upstream_url, want);
		assert_int_equal(problems.count, 1);
		assert_true(told("3:8", "warning: upstream.url is used as https://5c6bb73b") ||
		            told("3:8", "warning: upstream.url is used as https://a"));
		settings_free(s);
	}
}

/* B03: and what the clouds without public addresses need (B02). */
static void the_cloud_is_one_of_those_that_there_are(void **state)
{
	static const char token[] = "credentials:\n  - {name: t, kind: oauth2-secret, roles: [exchange], tenant: t, "
	                            "client_id: c, secret_file: /s%s}\n";
	static const struct {
		const char *cloud, *more, *words; /* NULL: good */
	} cases[] = {
	        {"Azure", "",
	         "upstream.cloud is Azure, which is none of the clouds: AzureCloud, AzureChinaCloud, "
	         "AzureUSGovernment, AzureUSGovernment2, AzureUSGovernment3, custom"},
	        {"azurecloud", "", NULL},
	        {"AzureUSGovernment2", "", "so this credential needs login_url and scope"},
	        {"AzureUSGovernment3", ", login_url: https://login.example", "needs login_url and scope"},
	        {"AzureUSGovernment3", ", login_url: https://login.example, scope: x", NULL},
	        {"custom", ", login_url: https://login.example, scope: x", NULL},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char text[1024], credential[512];
		snprintf(credential, sizeof(credential), token, cases[i].more);
		snprintf(text, sizeof(text), "%s  cloud: %s\n%s", GOOD, cases[i].cloud, credential);
		struct settings *s = load(text);
		if (!cases[i].words && !s)
			config_problems_print(&problems, stderr);
		assert_int_equal(s == NULL, cases[i].words != NULL);
		if (cases[i].words)
			assert_true(said(cases[i].words));
		settings_free(s);
	}
}

/* H03, H04, H05 */
static void the_web_proxy_is_checked(void **state)
{
	static const struct {
		const char *proxy, *words;
		bool refused;
	} cases[] = {
	        {"url: http://proxy.corp:3128", NULL, false},
	        {"url: https://proxy.corp:3128/", "warning: proxy.url begins with https://, which is taken as http://",
	         false},
	        {"url: http://10.0.0.1:3128, bypass: \".corp, 10.0.0.0/8\"", NULL, false},
	        {"url: http://proxy:3128, user: u, password_file: /f", NULL, false},
	        {"url: proxy.corp:3128", "does not begin with http://", true},
	        {"url: http://u:p@proxy.corp:3128", "give proxy.user and proxy.password_file", true},
	        {"url: http://proxy.corp/proxy.pac", "must end behind the port", true},
	        {"url: http://proxy:3128, user: u", "needs proxy.password_file", true},
	        {"url: http://proxy:3128, password_file: /f", "needs proxy.user", true},
	        {"url: http://proxy:3128, user: \"a:b\", password_file: /f", "has a colon in it", true},
	        {"url: http://proxy:3128, bypass: \"a,,b\"", "a comma too many", true},
	        {"url: http://proxy:3128, bypass: \"http://a\"", "is neither a host name", true},
	        {"bypass: .corp", "warning: proxy.bypass does nothing without proxy.url", false},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char text[512];
		snprintf(text, sizeof(text), "%sproxy: {%s}\n", GOOD, cases[i].proxy);
		struct settings *s = load(text);
		assert_int_equal(s == NULL, cases[i].refused);
		assert_int_equal(problems.count, cases[i].words != NULL);
		if (cases[i].words)
			assert_true(said(cases[i].words));
		settings_free(s);
	}
}

static void warnings_do_not_refuse(void **state)
{
	struct settings *s = load(GOOD "  total_timeout_ms: 30000\n"
	                               "stats:\n  address: 0.0.0.0:9180\n  allow: [0.0.0.0/0]\n"
	                               "limits:\n  body_grace_ms: 600000\n");
	assert_non_null(s);
	assert_int_equal(problems.count, 3);
	assert_true(told("5:21", "warning: upstream.total_timeout_ms is shorter"));
	assert_true(told("8:11", "warning: this entry of stats.allow lets everybody in"));
	assert_true(told("10:18", "warning: limits.body_grace_ms"));
	settings_free(s);
}

static void files_that_settings_name_are_looked_at(void **state)
{
	char text[4096];
	struct settings *s;
	write_file("c.pem", "x", 0644);
	write_file("k.pem", "x", 0600);
	write_file("loose.pem", "x", 0644);
	snprintf(text, sizeof(text),
	         "listeners:\n"
	         "  - address: 0.0.0.0:443\n"
	         "    tls:\n"
	         "      - {certificate: %1$s/c.pem, key: %1$s/k.pem}\n"
	         "      - {certificate: %1$s/none.pem, key: %1$s/loose.pem}\n"
	         "upstream:\n"
	         "  url: https://a.rms.na.aadrm.com\n"
	         "  ca_file: %1$s\n"
	         "log:\n"
	         "  requests_file: %1$s/no/such/directory\n"
	         "  events_file: %1$s/events\n",
	         directory);
	write_file("files.yaml", text, 0600);
	assert_int_equal(load_file("files.yaml", &s).code, ERR_SETTINGS);
	assert_int_equal(problems.count, 4);
	assert_true(said("files.yaml:5:23: listeners[0].tls.certificate names"));
	assert_true(said("none.pem: No such file or directory"));
	assert_true(said("loose.pem, a secret that every user of this machine may read"));
	assert_true(said("files.yaml:8:12: upstream.ca_file names"));
	assert_true(said("which is not an ordinary file"));
	assert_true(said("files.yaml:10:18: log.requests_file names a file in"));
}

static int tear_down(void **state)
{
	static const char *const names[] = {"files.yaml", "c.pem", "k.pem", "loose.pem", NULL};
	return remove_directory(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(wrong_name_servers_are_told),
	        cmocka_unit_test(the_source_of_the_list_must_fit),
	        cmocka_unit_test(the_url_is_trimmed_to_its_origin),
	        cmocka_unit_test(wrong_urls_are_refused_with_advice),
	        cmocka_unit_test(tenants_of_every_region_are_accepted),
	        cmocka_unit_test(the_cloud_is_one_of_those_that_there_are),
	        cmocka_unit_test(the_web_proxy_is_checked),
	        cmocka_unit_test(warnings_do_not_refuse),
	        cmocka_unit_test(files_that_settings_name_are_looked_at),
	};
	return cmocka_run_group_tests(tests, make_directory, tear_down);
}
