#include "core/ops/config_check.h"
#include "core/base/address.h"
#include "core/base/address_list.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct config_place top = {1, 1};

struct config_place config_place_or(struct config_place a, struct config_place b)
{
	return a.line ? a : b.line ? b : top;
}

struct config_place config_place_of(const struct config_places *at, enum setting_id id)
{
	return config_place_or(at->row[id], top);
}

/* ---- addresses ---- */

uint16_t config_port_of(const struct sockaddr_storage *a)
{
	return ntohs(a->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)a)->sin6_port
	                                      : ((const struct sockaddr_in *)a)->sin_port);
}

bool config_same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	char x[64], y[64];
	return a->ss_family == b->ss_family && config_port_of(a) == config_port_of(b) && config_port_of(a) != 0 &&
	       strcmp(address_text(a, x), address_text(b, y)) == 0;
}

bool config_check_address(const char *address, const char *name, struct config_place at, struct config_problems *p,
                          struct sockaddr_storage *out)
{
	struct err e = address_parse(address, out);
	if (e.code) {
		config_problem(p, at, "%s is not right: %s", name, err_text(e));
		return false;
	}
#ifndef RMS_TEST_SWITCHES
	if (config_port_of(out) == 0) {
		config_problem(p, at, "%s has port 0: give it a number from 1 to 65535", name);
		return false;
	}
#endif
	return true;
}

/* ---- statistics ---- */

static void check_stats(struct settings *s, const struct config_places *at, struct config_problems *p)
{
	struct sockaddr_storage address;
	bool certificate = *s->stats_tls_certificate, key = *s->stats_tls_key, client_ca = *s->stats_tls_client_ca;
	if (certificate != key)
		config_problem(p,
		               config_place_of(at, certificate ? SETTING_stats_tls_certificate : SETTING_stats_tls_key),
		               "stats.tls_certificate and stats.tls_key go together: %s is missing",
		               certificate ? "stats.tls_key" : "stats.tls_certificate");
	if (client_ca && !certificate)
		config_problem(p, config_place_of(at, SETTING_stats_tls_client_ca),
		               "stats.tls_client_ca needs stats.tls_certificate and stats.tls_key, too");
	if (!*s->stats_address || !config_check_address(s->stats_address, "stats.address",
	                                                config_place_of(at, SETTING_stats_address), p, &address))
		return;
	if (!address_is_loopback((struct sockaddr *)&address) && !(certificate && client_ca) &&
	    s->stats_allow_count == 0)
		config_problem(p, config_place_of(at, SETTING_stats_address),
		               "stats.address is not a loopback address, so everybody could read the statistics: give "
		               "stats.tls_certificate, stats.tls_key and stats.tls_client_ca, or stats.allow, a list "
		               "of addresses");
	for (size_t i = 0; i < s->stats_allow_count; i++) {
		struct address_prefix prefix;
		if (!address_prefix_parse(s->stats_allow[i], &prefix) && (prefix.bits == 0 || prefix.bits == 96))
			config_warning(p, config_place_or(at->allow[i], top),
			               "this entry of stats.allow lets everybody in");
	}
}

/* ---- what is left ---- */

static void check_auth(struct settings *s, const struct config_places *at, struct config_problems *p)
{
	if (strcmp(s->auth_ntlm, "off") && strcmp(s->auth_ntlm, "winbind"))
		config_problem(p, config_place_of(at, SETTING_auth_ntlm), "auth.ntlm must be off or winbind");
	if (strcmp(s->auth_anonymous_locator, "off") && strcmp(s->auth_anonymous_locator, "local"))
		config_problem(
		        p, config_place_of(at, SETTING_auth_anonymous_locator),
		        "auth.anonymous_locator must be off or local: nothing is ever relayed for callers who do "
		        "not say who they are");
}

static void check_log(struct settings *s, const struct config_places *at, struct config_problems *p)
{
	if (*s->log_events_file && strcmp(s->log_events_file, s->log_requests_file) == 0)
		config_problem(p, config_place_of(at, SETTING_log_events_file),
		               "log.events_file and log.requests_file are the same file: give each its own");
}

static void check_limits(struct settings *s, const struct config_places *at, struct config_problems *p)
{
	if (s->limits_body_grace_ms > s->limits_body_timeout_ms)
		config_warning(p, config_place_of(at, SETTING_limits_body_grace_ms),
		               "limits.body_grace_ms is longer than limits.body_timeout_ms, so limits.body_min_bytes_s "
		               "never counts");
}

static void check_list(const struct settings *s, const struct config_places *at, struct config_problems *p)
{
	bool local = strcmp(s->list_source, "local") == 0;
	if (!local && strcmp(s->list_source, "file") != 0)
		config_problem(p, config_place_of(at, SETTING_list_source), "list.source must be file or local");
	if (local && !*s->node_state_directory)
		config_problem(
		        p, config_place_of(at, SETTING_list_source),
		        "list.source is local, but there is no place for the list: set node.state_directory, too");
	if (local && *s->list_file)
		config_problem(p, config_place_of(at, SETTING_list_file),
		               "list.file is set, but list.source is local: take one of them away");
}

void config_check(struct settings *s, const struct config_places *at, struct config_problems *p)
{
	config_check_listeners(s, at, p);
	check_stats(s, at, p);
	config_check_upstream(s, at, p);
	check_limits(s, at, p);
	check_auth(s, at, p);
	check_log(s, at, p);
	check_list(s, at, p);
}

/* ---- files ---- */

static void check_readable(const char *path, const char *name, struct config_place at, bool secret,
                           struct config_problems *p)
{
	struct stat st;
	if (!path || !*path)
		return;
	if (stat(path, &st))
		config_problem(p, at, "%s names %s: %s", name, path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		config_problem(p, at, "%s names %s, which is not an ordinary file", name, path);
	else if (access(path, R_OK))
		config_problem(p, at, "%s names %s, which the user this runs as (uid %u) may not read: %s", name, path,
		               (unsigned)geteuid(), strerror(errno));
	else if (secret && (st.st_mode & 0007))
		config_warning(p, at, "%s names %s, a secret that every user of this machine may read: chmod o-rwx it",
		               name, path);
}

static void check_writable(const char *path, const char *name, struct config_place at, struct config_problems *p)
{
	struct stat st;
	char directory[4097];
	if (!*path)
		return;
	snprintf(directory, sizeof(directory), "%s", path);
	char *slash = strrchr(directory, '/');
	slash[slash == directory] = 0;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		config_problem(p, at, "%s names %s, which is a directory", name, path);
	else if (stat(directory, &st))
		config_problem(p, at, "%s names a file in %s: %s", name, directory, strerror(errno));
	else if (access(access(path, F_OK) ? directory : path, W_OK))
		config_problem(p, at, "%s names %s, which the user this runs as (uid %u) may not write: %s", name, path,
		               (unsigned)geteuid(), strerror(errno));
}

/* A secret may be set while the node runs, which then makes its file; what the workers need at the start must be there. */
static bool comes_later(const struct credential_settings *c, const char *path, const char *name, struct config_place at,
                        struct config_problems *p)
{
	char directory[4097];
	snprintf(directory, sizeof(directory), "%s", path);
	char *slash = strrchr(directory, '/');
	slash[slash == directory] = 0;
	if (c->kind == CREDENTIAL_MTLS || access(path, F_OK) == 0 || errno != ENOENT || access(directory, F_OK))
		return false;
	config_warning(p, at,
	               "%s names %s, which is not there: its callers are deferred until rms-connectorctl upstream "
	               "credential set %s",
	               name, path, c->name ? c->name : "NAME");
	return true;
}

/* Files of credentials; what is in them is told when they are used. */
static void check_credential_files(const struct settings *s, const struct config_places *at, struct config_problems *p)
{
	enum { PATH, SECRET, TEXT };
	for (size_t i = 0; i < s->credential_count; i++) {
		const struct credential_settings *c = &s->credentials[i];
		char name[64];
#define CREDENTIAL_MEMBER(member, type, takes, needs, help)                                    \
	if (type != TEXT && c->member) {                                                       \
		snprintf(name, sizeof(name), "credentials[%zu].%s", i, #member);               \
		if (type != SECRET || !comes_later(c, c->member, name, at->credential[i], p))  \
			check_readable(c->member, name, at->credential[i], type == SECRET, p); \
	}
#include "core/base/credentials.def"
	}
}

static void check_node_files(const struct settings *s, const struct config_places *at, struct config_problems *p)
{
	for (size_t i = 0; i < s->listener_count; i++)
		for (size_t k = 0; k < 2; k++) {
			char name[48];
			snprintf(name, sizeof(name), "listeners[%zu].tls.certificate", i);
			check_readable(s->listeners[i].certificates[k], name, at->listener[i].certificate[k], false, p);
			snprintf(name, sizeof(name), "listeners[%zu].tls.key", i);
			check_readable(s->listeners[i].keys[k], name, at->listener[i].key[k], true, p);
		}
	static const struct {
		enum setting_id id;
		bool secret;
	} read[] = {{SETTING_upstream_ca_file, false},
	            {SETTING_proxy_password_file, true},
	            {SETTING_stats_tls_certificate, false},
	            {SETTING_stats_tls_key, true},
	            {SETTING_stats_tls_client_ca, false}};
	check_credential_files(s, at, p);
	static const enum setting_id written[] = {SETTING_log_requests_file, SETTING_log_events_file};
	char name[64];
	for (size_t i = 0; i < ARRAY_COUNT(read); i++) {
		const struct setting_row *row = &setting_rows[read[i].id];
		snprintf(name, sizeof(name), "%s.%s", row->section, row->name);
		check_readable(settings_get_text(s, read[i].id), name, config_place_of(at, read[i].id), read[i].secret,
		               p);
	}
	for (size_t i = 0; i < ARRAY_COUNT(written); i++) {
		const struct setting_row *row = &setting_rows[written[i]];
		snprintf(name, sizeof(name), "%s.%s", row->section, row->name);
		check_writable(settings_get_text(s, written[i]), name, config_place_of(at, written[i]), p);
	}
}

/* That the keytab is not there, or cannot be read, is no mistake in the configuration: authd runs without, says so, and takes the file when it comes. */
static void check_authd_files(const struct settings *s, const struct config_places *at, struct config_problems *p)
{
	struct config_place place = config_place_of(at, SETTING_auth_keytab);
	struct stat st;
	if (!*s->auth_keytab)
		config_problem(
		        p, place,
		        "auth.keytab is missing: name the keytab that holds the keys of HTTP/NAME, for each name "
		        "that callers' URLs have");
	else if (stat(s->auth_keytab, &st) == 0 && S_ISREG(st.st_mode) && access(s->auth_keytab, R_OK) == 0)
		check_readable(s->auth_keytab, "auth.keytab", place, true, p);
}

void config_check_files(const struct settings *s, enum config_reader program, const struct config_places *at,
                        struct config_problems *p)
{
	if (program == CONFIG_AUTHD)
		check_authd_files(s, at, p);
	else
		check_node_files(s, at, p);
}
