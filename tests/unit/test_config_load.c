/* The configuration file: what is right is taken over, and what is wrong is told with its place, what was meant and how to mend it. B05: never with
 * bytes that may be secret. */
#include "tests/support/config_case.h"

#include "core/ops/docs.h"

struct wrong {
	const char *text, *place, *words;
};

static bool is_wrong(const struct wrong *w, const char *text)
{
	struct settings *s = load(text);
	if (!s && told(w->place, w->words))
		return true;
	print_error("in:\n%s\nexpected f:%s: ... %s\nbut was told:\n", text, w->place, w->words);
	config_problems_print(&problems, stderr);
	settings_free(s);
	return false;
}

/* Whole files. */
static const struct wrong whole[] = {
        {"", "1:1", "the file is empty"},
        {"\n\n# nothing but a comment\n", "4:1", "the file is empty"},
        {"---\n", "2:1", "this is nothing"},
        {"hello\n", "1:1", "this is a single value"},
        {"- a\n- b\n", "1:1", "this is a list"},
        {"upstream:\n  url: https://a.rms.na.aadrm.com\n", "1:1", "there is no listener"},
        {"listeners:\nupstream:\n  url: https://a.rms.na.aadrm.com\n", "1:1", "there is no listener"},
        {"listeners: []\nupstream:\n  url: https://a.rms.na.aadrm.com\n", "1:1", "there is no listener"},
        {"listeners:\n  - address: 0.0.0.0:80\n", "1:1", "Get-AipServiceConfiguration"},
        {"listeners:\n  - address: 0.0.0.0:80\nupstream:\n  queue: 5\n", "3:1", "upstream.url is missing"},
        /* listeners */
        {"listeners: 0.0.0.0:80\n", "1:12", "listeners is a list, and this is a single value"},
        {"listeners:\n  address: 0.0.0.0:80\n", "2:3", "listeners is a list, and this is a section"},
        {"listeners:\n  - 0.0.0.0:80\n", "2:5", "a listener is written - address: HOST:PORT"},
        {"listeners:\n  - tls:\n      certificate: /a\n      key: /b\n", "2:5", "listeners[0].address is missing"},
        {"listeners:\n  - address: exchange.corp:443\n", "2:14", "numeric host"},
        {"listeners:\n  - address: 0.0.0.0\n", "2:14", "numeric host"},
        {"listeners:\n  - address: 0.0.0.0:70000\n", "2:14", "numeric host"},
        {"listeners:\n  - address: [1]\n", "2:14", "listeners[0].address is a single value, and this is a list"},
        {"listeners:\n  - address:\n", "2:13", "listeners[0].address has no value"},
        {"listeners:\n  - address: 0.0.0.0:80\n  - address: 0.0.0.0:80\n", "3:14", "the listener on line 2, too"},
        {"listeners:\n  - address: 0.0.0.0:80\n    adress: 0.0.0.0:81\n", "3:5", "did you mean address?"},
        {"listeners:\n  - address: 0.0.0.0:80\n    address: 0.0.0.0:81\n", "3:5",
         "a second listener begins with a dash"},
        {"listeners:\n  - address: 0.0.0.0:80\n    certificate: /a\n", "3:5",
         "which has address, tls, behind, proxy_protocol, balancers and channel_binding"},
        {"listeners:\n  - address: 0.0.0.0:80\n    behind: L4\n", "3:13",
         "listeners[0].behind must be direct, l4 or l7"},
        {"listeners:\n  - address: 0.0.0.0:80\n    behind: l4\n    behind: l4\n", "4:5",
         "listeners[0].behind is given twice"},
        {"listeners:\n  - {address: 0.0.0.0:80, behind: l7}\nauth:\n  ntlm: winbind\n", "2:35",
         "but auth.ntlm on line 4 lets callers use NTLM"},
        {"listeners:\n  - address: 0.0.0.0:80\n    tls: yes\n", "3:10", "holds certificate: FILE and key: FILE"},
        {"listeners:\n  - address: 0.0.0.0:80\n    tls:\n", "3:9", "and this is nothing"},
        {"listeners:\n  - address: 0.0.0.0:80\n    tls: []\n", "3:10", "is an empty list"},
        {"listeners:\n  - address: 0.0.0.0:80\n    tls: {certificate: /a}\n", "3:10", "needs both"},
        {"listeners:\n  - address: 0.0.0.0:80\n    tls: {key: /a}\n", "3:10", "needs both"},
        {"listeners:\n  - address: 0.0.0.0:80\n    tls: {certificate: a.pem, key: /a}\n", "3:24", "begins with /"},
        {"listeners:\n  - address: 0.0.0.0:80\n    tls: {certificate: /a, keys: /a}\n", "3:28", "did you mean key?"},
        {"listeners:\n  - address: 0.0.0.0:80\n    tls: {certificate: /a, key: /b, key: /c}\n", "3:37",
         "listeners[0].key is given twice"},
        {"listeners:\n  - address: 0.0.0.0:80\n    tls: [{certificate: /a, key: /b}, {certificate: /c}]\n", "3:39",
         "needs both"},
        {"listeners:\n  - address: 0.0.0.0:80\n    tls:\n    - {certificate: /a, key: /a}\n    - {certificate: /b, "
         "key: /b}\n"
         "    - {certificate: /c, key: /c}\n",
         "6:7", "more than two certificates"},
        {"listeners:\n  - address: 127.0.0.1:9180\n", "2:14", "stats.address is the address of the listener on line 2"},
        /* the service */
        {"upstream:\n  url: http://a.rms.na.aadrm.com\n", "2:8", "must begin with https://"},
        {"upstream:\n  url: a.rms.na.aadrm.com\n", "2:8", "upstream.url is not right"},
        {"upstream:\n  url: https://a.rms.na.aadrm.com/some/where\n", "2:8", "must end behind the host name"},
        {"upstream:\n  url: https://GUID.rms.REGION.aadrm.com\n", "2:8", "is the example's"},
        {"upstream:\n  url: https://me:secret@a.rms.na.aadrm.com\n", "2:8", "upstream.url is not right"},
        {"upstream:\n  url:\n", "2:7", "upstream.url has no value"},
        {"upstream:\n  url: [https://a.rms.na.aadrm.com]\n", "2:8", "is a single value, and this is a list"},
        /* syntax */
        {"upstream:\n\turl: x\n", "2:1", "a tab"},
        {"upstream:\n  url: x\n  \t# y\n", "3:3", "indent with spaces"},
        {"upstream:\n  url: x\n queue: 5\n", "3:2", "indent the settings of one section alike"},
        {"upstream:\n  url: x\n   queue: 5\n", "3:9", "a colon stands where none can be"},
        {"upstream:\n  url: \"https://a\n", "2:8", "a quote is opened here and never closed"},
        {"upstream:\n  url: 'https://a\n", "2:8", "a quote is opened here and never closed"},
        {"upstream:\n  url: \"C:\\qq\"\n", "2:11", "a backslash begins an escape"},
        {"upstream:\n  url https://a\n  queue: 5\n", "3:8", "a colon stands where none can be"},
        {"upstream:\n  url: @a\n", "2:8", "cannot begin with this character"},
        {"stats:\n  allow: [10.0.0.0/8\n", "2:10", "not closed by ]"},
        {"stats: {address: \"\"\n", "1:8", "not closed by }"},
        {"stats:\n  allow: - 10.0.0.0/8\n", "2:10", "put the list on lines of its own"},
        {"stats:\n  allow:\n    - 10.0.0.0/8\n    10.1.0.0/16\n", "4:5", "a colon and a space are missing"},
        {"upstream: &a\n  url: x\n", "1:11", "anchors"},
        {"upstream:\n  url: *a\n", "2:8", "aliases"},
        {"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n", "1:4", "anchors"},
        {"node:\n  workers: !!int 4\n", "2:12", "tags"},
        {"node: {a: {b: {c: {d: {e: {f: {g: {h: {i: 1}}}}}}}}}\n", "1:35", "nested deeper"},
        {GOOD "---\n" GOOD, "5:1", "a second document"},
        {GOOD "...\nmore: 5\n", "6:1", "does not fit what stands above"},
        {"? [a, b]\n: 5\n", "1:3", "a name is expected here"},
        /* bytes */
        {"node:\n  name: M\xfcller\n", "2:10", "byte 0xfc is not UTF-8"},
        {"node:\n  name: a\x01z\n", "2:10", "an invisible character (U+0001)"},
        {"node:\n  name: a\xe2\x80\xa8z\n", "2:10", "an invisible character (U+2028)"},
        {"node:\n  name: a\xef\xbb\xbfz\n", "2:10", "an invisible character (U+FEFF)"},
        {"\xff\xfen\x01", "1:1", "UTF-16"},
};

/* Behind GOOD, so from line 5 on. */
static const struct wrong more[] = {
        {"limit:\n  connections: 5\n", "5:1", "\"limit\" is not known at the top of the file; did you mean limits?"},
        {"Limits:\n  connections: 5\n", "5:1", "did you mean limits?"},
        {"listener:\n  - address: 0.0.0.0:80\n", "5:1", "did you mean listeners?"},
        {"tunnel: 5\n", "5:1", "\"tunnel\" is not known at the top of the file; see docs/settings.md"},
        {"? \"a b\"\n: 5\n", "5:3", "this name is not known"},
        {"connections: 5\n", "5:1", "belongs to section limits"},
        {"upstream.queue: 5\n", "5:1", "write it as queue: below upstream:"},
        {"upstream:\n  queue: 5\n", "5:1", "section upstream is given twice: first on line 3"},
        {"listeners:\n  - address: 0.0.0.0:81\n", "5:1", "listeners is given twice: first on line 1"},
        {"limits: 5\n", "5:9", "limits is a section, and this is a single value"},
        {"limits:\n  - connections: 5\n", "6:3", "limits is a section, and this is a list"},
        {"limits:\n  conections: 5\n", "6:3", "did you mean connections?"},
        {"limits:\n  head_timeout: 5000\n", "6:3", "did you mean head_timeout_ms?"},
        {"limits:\n  head-timeout-ms: 5000\n", "6:3", "did you mean head_timeout_ms?"},
        {"limits:\n  tiemout: 5000\n", "6:3", "is not known in section limits; see docs/settings.md"},
        {"limits:\n  queue_ms: 5000\n", "6:3", "belongs to section upstream, not to limits"},
        {"limits:\n  connections: 5\n  connections: 6\n", "7:3", "limits.connections is given twice: first on line 6"},
        {"limits:\n  connections: many\n", "6:16", "limits.connections is \"many\"; it must be a whole number"},
        {"limits:\n  connections:\n", "6:15", "digits only"},
        {"limits:\n  connections: -1\n", "6:16", "is \"-1\""},
        {"limits:\n  connections: 1.5\n", "6:16", "a whole number"},
        {"limits:\n  connections: 1000001\n", "6:16", "is 1000001; it must be from 0 to 1000000"},
        {"limits:\n  connections: 99999999999999999999\n", "6:16", "a whole number"},
        {"limits:\n  connections: 010\n", "6:16", "octal"},
        {"limits:\n  connections: 0x10\n", "6:16", "digits only"},
        {"limits:\n  connections: \"5\"\n", "6:16", "without quotes"},
        {"limits:\n  connections: {a: 5}\n", "6:16", "is a single value, and this is a section"},
        {"limits:\n  request_body_bytes: 16M\n", "6:23", "from 1024 to 2147483647 bytes, digits only"},
        {"limits:\n  head_timeout_ms: 10s\n", "6:20", "from 100 to 600000 milliseconds"},
        {"limits:\n  head_timeout_ms: 50\n", "6:20", "is 50; it must be from 100 to 600000 milliseconds"},
        {"limits:\n  body_min_bytes_s: fast\n", "6:21", "bytes in a second"},
        {"node:\n  drain_delay_s: 601\n", "6:18", "from 0 to 600 seconds"},
        {"node:\n  name: ~\n", "6:9", "node.name has no value"},
        {"node:\n  name: 01234567890123456789012345678901234567890123456789012345678901234\n", "6:9",
         "is 65 bytes long; it must be from 0 to 64"},
        {"node:\n  name: \"a\\nb\"\n", "6:9", "one line without control characters"},
        {"node:\n  name: |\n    a\n", "6:9", "one line without control characters"},
        {"node:\n  name: \"a\\0b\"\n", "6:9", "control characters"},
        {"log:\n  requests_file: requests.log\n", "6:18", "begins with /"},
        {"log:\n  requests_file: /var/log/\n", "6:18", "must name a file"},
        {"log:\n  requests_file: /a\n  events_file: /a\n", "7:16", "are the same file"},
        {"stats:\n  address: 0.0.0.0:9180\n", "6:12", "everybody could read the statistics"},
        {"stats:\n  address: \"[::]:9180\"\n  tls_certificate: /a\n  tls_key: /b\n", "6:12", "stats.allow"},
        {"stats:\n  address: localhost:9180\n", "6:12", "numeric host"},
        {"stats:\n  address: 0.0.0.0:8080\n  allow: [10.0.0.0/8]\n", "6:12", "the address of the listener on line 2"},
        {"stats:\n  tls_certificate: /a\n", "6:20", "stats.tls_key is missing"},
        {"stats:\n  tls_key: /a\n", "6:12", "stats.tls_certificate is missing"},
        {"stats:\n  tls_client_ca: /a\n", "6:18", "needs stats.tls_certificate"},
        {"stats:\n  allow: 10.0.0.0/8\n", "6:10", "stats.allow is a list"},
        {"stats:\n  allow: [10.0.0.1/8]\n", "6:11", "10.1.0.0/16, not 10.1.2.3/16"},
        {"stats:\n  allow: [10.0.0.0/33]\n", "6:11", "a prefix length from 0 to 32"},
        {"stats:\n  allow: [10.0.0.0/8, host]\n", "6:23", "an entry of stats.allow must be"},
        {"stats:\n  allow: [[10.0.0.0/8]]\n", "6:11", "is a single value"},
        {"stats:\n  allow: [10.0.0.0/8]\n  allow: [10.0.0.0/8]\n", "7:3", "stats.allow is given twice"},
        {"stats:\n  alow: [10.0.0.0/8]\n", "6:3", "did you mean allow?"},
        /* who callers are */
        {"auth:\n  socket: authd.socket\n", "6:11", "begins with /"},
        {"auth:\n  socket: \"\"\n", "6:11", "from 1 to 107"},
        {"auth:\n  keytab: krb5.keytab\n", "6:11", "begins with /"},
        {"auth:\n  threads: 0\n", "6:12", "is 0; it must be from 1 to 64"},
        {"auth:\n  threads: 65\n", "6:12", "is 65; it must be from 1 to 64"},
        {"auth:\n  queue: 0\n", "6:10", "from 1 to 65536"},
        {"auth:\n  node_users: nobody\n", "6:3", "did you mean node_user?"},
        {"auth:\n  key_tab: /a\n", "6:3", "did you mean keytab?"},
        {"keytab: /a\n", "5:1", "belongs to section auth"},
        {"realm:\n  - name: A.TEST\n", "5:1", "did you mean realms?"},
        {"realms: CORP.TEST\n", "5:9", "realms is a list"},
        {"realms: [CORP.TEST]\n", "5:10", "a realm is written - name: CORP.TEST"},
        {"realms:\n  - directory: false\n", "6:5", "realms[0] has no name"},
        {"realms:\n  - name:\n", "6:10", "must be a Kerberos realm"},
        {"realms:\n  - name: \"A TEST\"\n", "6:11", "must be a Kerberos realm"},
        {"realms:\n  - name: .TEST\n", "6:11", "must be a Kerberos realm"},
        {"realms:\n  - name: user@A.TEST\n", "6:11", "must be a Kerberos realm"},
        {"realms:\n  - name: A.TEST\n    directory: perhaps\n", "7:16", "realms[0].directory"},
        {"realms:\n  - name: A.TEST\n    name: B.TEST\n", "7:5", "a second realm begins with a dash"},
        {"realms:\n  - name: A.TEST\n  - name: A.TEST\n", "7:11", "realm A.TEST is the one of line 6, too"},
        {"realms:\n  - name: A.TEST\n    domain: S-1-5-21-1-2-3\n", "7:5", "did you mean domains?"},
        {"realms:\n  - name: A.TEST\n    domains: S-1-5-21-1-2-3\n", "7:14", "realms[0].domains is a list"},
        {"realms:\n  - name: A.TEST\n    domains: [S-1-5-21-1-2-3, S-1-5-21-1-2-3-512]\n", "7:31",
         "must be the SID of a domain"},
        {"realms:\n  - name: A.TEST\n    domains: [S-1-5-32-544]\n", "7:15", "must be the SID of a domain"},
        {"realms:\n  - name: A.TEST\n    domains: [CORP]\n", "7:15", "must be the SID of a domain"},
        {"realms:\n  - name: A.TEST\n    directory: false\n    domains: [S-1-5-21-1-2-3]\n", "8:5",
         "realms[0] is a realm without a directory"},
        {"realms:\n  - name: A.TEST\n    directory: false\n    controllers: [dc1]\n", "8:5",
         "is a realm without a directory"},
        {"realms:\n  - name: A.TEST\n    controllers: [\"dc 1\"]\n", "7:19", "must be a host name"},
        {"realms:\n  - name: A.TEST\n    bind_dn: cn=a\n", "7:14", "bind_dn and password_file belong together"},
        {"realms:\n  - name: A.TEST\n    password_file: /p\n", "7:20", "bind_dn and password_file belong together"},
        {"realms:\n  - name: A.TEST\n    ca_file: /a\n    ca_file: /b\n", "8:5", "realms[0].ca_file is given twice"},
        {"realms:\n  - name: A.TEST\nrealms:\n  - name: B.TEST\n", "7:1", "realms is given twice"},
        {"stats: {tls_key: /b, tls_certificate: /a, address: '10.0.0.1:1'}\n", "5:52", "everybody could read"},
};

static void whole_files_are_refused(void **state)
{
	size_t right = 0;
	for (size_t i = 0; i < ARRAY_COUNT(whole); i++)
		right += is_wrong(&whole[i], whole[i].text);
	assert_int_equal(right, ARRAY_COUNT(whole));
}

static void wrong_settings_are_told_with_their_place(void **state)
{
	size_t right = 0;
	for (size_t i = 0; i < ARRAY_COUNT(more); i++) {
		char text[1024];
		snprintf(text, sizeof(text), "%s%s", GOOD, more[i].text);
		bool alone = is_wrong(&more[i], text) && problems.count == 1; /* one mistake, one line */
		if (!alone)
			config_problems_print(&problems, stderr);
		right += alone;
	}
	assert_int_equal(right, ARRAY_COUNT(more));
}

static void every_value_arrives_where_it_belongs(void **state)
{
	struct settings *s = load("node: {name: \"n\xc3\xb6rd\", workers: 3}\n"
	                          "limits:\n"
	                          "  connections: 1000000\n"
	                          "  discard_bytes: 0\n"
	                          "listeners:\n"
	                          "- address: 0.0.0.0:80\n"
	                          "- address: '[::]:443'\n"
	                          "  tls:\n"
	                          "  - certificate: /rsa.pem\n"
	                          "    key: /rsa.key\n"
	                          "  - {certificate: /ec.pem, key: /ec.key}\n"
	                          "- {address: \"127.0.0.1:444\", tls: {key: /k, certificate: /c}}\n"
	                          "upstream:\n"
	                          "  url: https://a.rms.na.aadrm.com # a comment\n"
	                          "  ca_file: \"\"\n"
	                          "log:\n"
	                          "stats:\n"
	                          "  address: 0.0.0.0:9180\n"
	                          "  allow:\n"
	                          "    - 10.0.0.0/8\n"
	                          "    - \"2001:db8::/32\"\n");
	assert_non_null(s);
	assert_int_equal(problems.count, 0);
	assert_string_equal(s->node_name, "n\xc3\xb6rd");
	assert_int_equal(s->node_workers, 3);
	assert_int_equal(s->limits_connections, 1000000);
	assert_int_equal(s->limits_discard_bytes, 0);
	assert_int_equal(s->limits_linger_ms, 2000); /* default */
	assert_int_equal(s->listener_count, 3);
	assert_string_equal(s->listeners[0].address, "0.0.0.0:80");
	assert_null(s->listeners[0].certificates[0]);
	assert_string_equal(s->listeners[1].certificates[0], "/rsa.pem");
	assert_string_equal(s->listeners[1].keys[0], "/rsa.key");
	assert_string_equal(s->listeners[1].certificates[1], "/ec.pem");
	assert_string_equal(s->listeners[1].keys[1], "/ec.key");
	assert_string_equal(s->listeners[2].keys[0], "/k");
	assert_null(s->listeners[2].keys[1]);
	assert_string_equal(s->upstream_ca_file, "");
	assert_int_equal(s->stats_allow_count, 2);
	assert_string_equal(s->stats_allow[1], "2001:db8::/32");
	settings_free(s);
}

static void other_ways_to_write_the_same_are_fine(void **state)
{
	static const char *const texts[] = {
	        "\xef\xbb\xbf" GOOD, /* byte order mark */
	        "---\n" GOOD "...\n",
	        "%YAML 1.1\n---\n" GOOD,
	        "listeners:\r\n  - address: 0.0.0.0:8080\r\nupstream:\r\n  url: https://a.rms.na.aadrm.com\r\n",
	        "{\"listeners\": [{\"address\": \"0.0.0.0:8080\"}], \"upstream\": {\"url\": "
	        "\"https://a.rms.na.aadrm.com\"}}",
	        GOOD "limits:\t\n  connections:\t5\t# and between\n",
	        GOOD "stats:\n  allow:\n",
	        GOOD "stats:\n  address: \"\"\n",
	};
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		struct settings *s = load(texts[i]);
		if (!s)
			config_problems_print(&problems, stderr);
		assert_non_null(s);
		assert_string_equal(s->listeners[0].address, "0.0.0.0:8080");
		settings_free(s);
	}
}

static void all_problems_are_told_in_order(void **state)
{
	assert_null(load("limits:\n"
	                 "  conections: 5\n"
	                 "  queue: 6\n"
	                 "listeners:\n"
	                 "  - address: here\n"
	                 "upstream:\n"
	                 "  url: ftp://x\n"
	                 "node:\n"
	                 "  workers: 65\n"));
	assert_int_equal(problems.count, 5);
	static const char *const places[] = {"f:2:3: ", "f:3:3: ", "f:5:14: ", "f:7:8: ", "f:9:12: "};
	for (size_t i = 0; i < ARRAY_COUNT(places); i++)
		assert_int_equal(strncmp(problems.list[i].text, places[i], strlen(places[i])), 0);
}

static void more_problems_than_anybody_reads_are_counted(void **state)
{
	char text[8192] = "limits:\n";
	for (int i = 0; i < 120; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "  zzz%d: 1\n", i);
	assert_null(load(text));
	assert_int_equal(problems.count, CONFIG_PROBLEMS_MAX);
	assert_true(problems.left_out >= 70);
	char *printed = NULL;
	size_t len;
	FILE *out = open_memstream(&printed, &len);
	config_problems_print(&problems, out);
	fclose(out);
	assert_non_null(strstr(printed, "and 7"));
	free(printed);
}

static void what_may_be_secret_is_not_shown(void **state) /* B05 */
{
	static const char *const texts[] = {
	        "Bearer S3CRET-0123456789\n",
	        "-----BEGIN PRIVATE KEY-----\nS3CRET+/=\n-----END PRIVATE KEY-----\n",
	        "S3CRET/+==: 5\n",
	        GOOD "credentials:\n  - {name: a, kind: static, authorization_file: Bearer S3CRET}\n",
	        GOOD "limits:\n  connections: Bearer S3CRET\n",
	        "upstream:\n  url: https://user:S3CRET@host\n",
	        "upstream:\n  url: \"S3CRET\n",
	        "stats:\n  allow: [S3CRET]\n",
	        "listeners:\n  - address: S3CRET\n",
	        "listeners:\n  - S3CRET\n",
	        "upstream: S3CRET\n",
	};
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		assert_null(load(texts[i]));
		assert_true(problems.count > 0);
		for (size_t k = 0; k < problems.count; k++)
			assert_null(strstr(problems.list[k].text, "S3CRET"));
	}
}

static void the_file_is_bounded(void **state)
{
	size_t n = CONFIG_FILE_BYTES + 1;
	char *text = malloc(n);
	memset(text, '#', n);
	assert_null(load_text(slice_of(text, n)));
	assert_true(told("1:1", "larger than 1048576 bytes"));
	static const char *const deep[] = {"[", "{a: ", "- ", "? ", "a: [", "\"", "&a ", "!a ", "a,", ": "};
	for (size_t i = 0; i < ARRAY_COUNT(deep); i++) { /* as much nesting as fits ends soon, too */
		size_t len = strlen(deep[i]), used = 0;
		for (; used + len <= CONFIG_FILE_BYTES; used += len)
			memcpy(text + used, deep[i], len);
		assert_null(load_text(slice_of(text, used)));
	}
	free(text);
}

/* ---- files ---- */

static void files_that_cannot_be_read_are_told(void **state)
{
	struct settings *s;
	struct err e = load_file("missing.yaml", &s);
	assert_int_equal(e.code, ERR_FILE);
	assert_true(said("missing.yaml: there is no such file"));
	assert_true(said("--print-example-config"));
	assert_int_equal(load_file("", &s).code, ERR_FILE);
	assert_true(said("it is a directory"));
	char path[256];
	in_directory(path, "fifo");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(load_file("fifo", &s).code, ERR_FILE);
	assert_true(said("it is not an ordinary file"));
	unlink(path);
	write_file("closed.yaml", GOOD, 0);
	if (geteuid() == 0 && seteuid(65534) == 0) { /* root reads everything */
		chmod(directory, 0755);
		e = load_file("closed.yaml", &s);
		assert_int_equal(seteuid(0), 0);
		assert_int_equal(e.code, ERR_FILE);
		assert_true(said("(uid 65534) may not read it"));
	}
	write_file("loose.yaml", GOOD, 0666);
	assert_int_equal(load_file("loose.yaml", &s).code, ERR_NONE);
	assert_true(said("warning: everybody may change this file"));
	settings_free(s);
}

static void the_example_needs_nothing_but_the_url(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	config_print_example(out);
	fclose(out);
	assert_null(load(text));
	assert_int_equal(problems.count, 1);
	assert_non_null(strstr(problems.list[0].text, "upstream.url is the example's"));
	char *at = strstr(text, "GUID.rms.REGION.aadrm.com\n");
	at = strstr(at + 1, "GUID.rms.REGION");
	assert_non_null(at);
	memcpy(at, "abcd.rms.EUROPE", 15);
	struct settings *s = load(text);
	assert_int_equal(problems.count, 0);
	settings_free(s);
	/* with every comment taken away it says the same */
	for (at = text; (at = strchr(at, '#')); at++)
		if (at[1] >= 'a' && at[1] <= 'z' && at > text && at[-1] == ' ')
			memmove(at, at + 1, strlen(at));
	struct settings *again = load(text);
	if (!again)
		config_problems_print(&problems, stderr);
	assert_non_null(again);
	assert_int_equal(problems.count, 0);
	struct settings *defaults = settings_new();
	for (unsigned id = 0; id < SETTING_COUNT; id++) {
		const struct setting_row *row = &setting_rows[id];
		if (row->type == SETTING_U32)
			assert_int_equal(*(uint32_t *)(void *)((char *)again + row->offset), row->number);
		else if (row->type != SETTING_BOOL && id != SETTING_upstream_url)
			assert_string_equal(settings_get_text(again, id), settings_get_text(defaults, id));
	}
	settings_free(defaults);
	settings_free(again);
	free(text);
}

static int tear_down(void **state)
{
	static const char *const names[] = {"closed.yaml", "loose.yaml", NULL};
	return remove_directory(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(whole_files_are_refused),
	        cmocka_unit_test(wrong_settings_are_told_with_their_place),
	        cmocka_unit_test(every_value_arrives_where_it_belongs),
	        cmocka_unit_test(other_ways_to_write_the_same_are_fine),
	        cmocka_unit_test(all_problems_are_told_in_order),
	        cmocka_unit_test(more_problems_than_anybody_reads_are_counted),
	        cmocka_unit_test(what_may_be_secret_is_not_shown),
	        cmocka_unit_test(the_file_is_bounded),
	        cmocka_unit_test(files_that_cannot_be_read_are_told),
	        cmocka_unit_test(the_example_needs_nothing_but_the_url),
	};
	return cmocka_run_group_tests(tests, make_directory, tear_down);
}
