#include "core/ops/config_load_realms.h"

#include <stdlib.h>
#include <string.h>

enum { REALM_BYTES = 255 };

struct realm_reading {
	char name[16]; /* "realms[0]" */
	size_t index;
	struct config_place name_at, directory_at, domains_at, controllers_at,
	        text_at[3]; /* bind_dn, password_file, ca_file */
};

static bool is_realm(struct slice s)
{
	if (s.len == 0 || s.len > REALM_BYTES || s.at[0] == '.' || s.at[s.len - 1] == '.')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_", s.at[i]) || !s.at[i])
			return false;
	return true;
}

static void read_name(struct reader *r, const char *name, struct realm_settings *into)
{
	struct slice s = reader_scalar(r);
	if (!is_realm(s))
		config_problem(r->problems, reader_place(r), "%s must be a Kerberos realm, such as CORP.TEST", name);
	else if (!(into->name = strndup(s.at, s.len)))
		reader_no_memory(r);
}

static void read_domain(struct reader *r, void *context)
{
	struct realm_reading *reading = context;
	struct realm_settings *into = &r->settings->realms[reading->index];
	struct name n = name_of(reading->name, "domains");
	if (!reader_expect_scalar(r, n.text))
		return;
	struct sid domain;
	if (!sid_parse(reader_scalar(r), &domain) || !sid_is_domain(&domain)) {
		config_problem(r->problems, reader_place(r),
		               "an entry of %s must be the SID of a domain, S-1-5-21-A-B-C: Get-ADDomain shows it as "
		               "DomainSID",
		               n.text);
		return;
	}
	if (into->domain_count == CONFIG_DOMAINS_MAX) {
		config_problem(r->problems, reader_place(r), "%s has more than %d entries", n.text, CONFIG_DOMAINS_MAX);
		r->stopped = true;
		return;
	}
	struct sid *more = realloc(into->domains, (into->domain_count + 1) * sizeof(*more));
	if (!more) {
		reader_no_memory(r);
		return;
	}
	into->domains = more;
	more[into->domain_count++] = domain;
}

static void read_controller(struct reader *r, void *context)
{
	struct realm_reading *reading = context;
	struct realm_settings *into = &r->settings->realms[reading->index];
	struct name n = name_of(reading->name, "controllers");
	if (!reader_expect_scalar(r, n.text))
		return;
	if (!is_realm(reader_scalar(r))) {
		config_problem(r->problems, reader_place(r), "an entry of %s must be a host name: dc1.corp.example",
		               n.text);
		return;
	}
	if (into->controller_count == CONFIG_CONTROLLERS_MAX) {
		config_problem(r->problems, reader_place(r), "%s has more than %d entries", n.text,
		               CONFIG_CONTROLLERS_MAX);
		r->stopped = true;
		return;
	}
	char **more = realloc(into->controllers, (into->controller_count + 2) * sizeof(*more));
	if (more)
		into->controllers = more;
	char *host = more ? strndup(reader_scalar(r).at, reader_scalar(r).len) : NULL;
	if (!host) {
		reader_no_memory(r);
		return;
	}
	more[into->controller_count++] = host;
	more[into->controller_count] = NULL;
}

static const char *const text_names[] = {"bind_dn", "password_file", "ca_file"};

static void read_text(struct reader *r, const struct key *key, struct realm_reading *reading, size_t which)
{
	struct realm_settings *into = &r->settings->realms[reading->index];
	struct name n = name_of(reading->name, key->text);
	char **out = which == 0 ? &into->bind_dn : which == 1 ? &into->password_file : &into->ca_file;
	if (reading->text_at[which].line) {
		config_problem(r->problems, key->at, "%s is given twice. Keep one", n.text);
		reader_skip(r);
		return;
	}
	reading->text_at[which] = reader_place(r);
	if (!reader_expect_scalar(r, n.text) ||
	    !(which == 0 ? reader_text_is_fine(r, n.text) : reader_path_is_fine(r, n.text, 4096)))
		return;
	if (!(*out = strndup(reader_scalar(r).at, reader_scalar(r).len)))
		reader_no_memory(r);
}

static void realm_member(struct reader *r, const struct key *key, void *context)
{
	struct realm_reading *reading = context;
	struct realm_settings *into = &r->settings->realms[reading->index];
	static const char *const names[] = {"name",    "directory",     "domains", "controllers",
	                                    "bind_dn", "password_file", "ca_file", NULL};
	struct name n = name_of(reading->name, key->text);
	if (strcmp(key->text, "domains") == 0) {
		reader_list(r, key, n.text, &reading->domains_at, read_domain, reading, "domains: [S-1-5-21-A-B-C]");
		return;
	}
	if (strcmp(key->text, "controllers") == 0) {
		reader_list(r, key, n.text, &reading->controllers_at, read_controller, reading,
		            "controllers: [dc1.corp.example]");
		return;
	}
	for (size_t i = 0; i < sizeof(text_names) / sizeof(text_names[0]); i++) {
		if (strcmp(key->text, text_names[i]) == 0) {
			read_text(r, key, reading, i);
			return;
		}
	}
	bool name = strcmp(key->text, "name") == 0;
	if (!name && strcmp(key->text, "directory") != 0) {
		reader_unknown(r, key,
		               "in a realm, which has name, directory, domains, controllers, bind_dn, password_file "
		               "and ca_file",
		               names);
		return;
	}
	struct config_place *seen = name ? &reading->name_at : &reading->directory_at;
	if (seen->line) {
		config_problem(r->problems, key->at, "%s is given twice. Keep one; a second realm begins with a dash",
		               n.text);
		reader_skip(r);
		return;
	}
	*seen = reader_place(r);
	if (!reader_expect_scalar(r, n.text))
		return;
	if (name)
		read_name(r, n.text, into);
	else
		reader_bool(r, n.text, &into->directory);
}

static void check_realm(struct reader *r, const struct realm_reading *reading)
{
	const struct settings *s = r->settings;
	const struct realm_settings *realm = &s->realms[reading->index];
	if (!reading->name_at.line)
		config_problem(r->problems, r->places.realm[reading->index], "%s has no name: write - name: CORP.TEST",
		               reading->name);
	if (!realm->directory && realm->domain_count)
		config_problem(r->problems, reading->domains_at,
		               "%s is a realm without a directory, so there are no domains whose SIDs it could speak "
		               "for: take domains or directory: false away",
		               reading->name);
	if (!realm->directory && (realm->controller_count || realm->bind_dn))
		config_problem(r->problems, realm->controller_count ? reading->controllers_at : reading->text_at[0],
		               "%s is a realm without a directory: take controllers, bind_dn or directory: false away",
		               reading->name);
	if (!realm->bind_dn != !realm->password_file)
		config_problem(r->problems, reading->text_at[realm->bind_dn ? 0 : 1],
		               "%s: bind_dn and password_file belong together; with neither, authd uses the keytab",
		               reading->name);
	for (size_t i = 0; i < reading->index && realm->name; i++)
		if (s->realms[i].name && strcmp(s->realms[i].name, realm->name) == 0)
			config_problem(r->problems, reading->name_at, "realm %s is the one of line %u, too: keep one",
			               realm->name, r->places.realm[i].line);
}

static void read_realm(struct reader *r, void *context)
{
	struct settings *s = r->settings;
	struct realm_reading reading = {.index = s->realm_count};
	if (r->event.type != YAML_MAPPING_START_EVENT) {
		config_problem(r->problems, reader_place(r), "a realm is written - name: CORP.TEST, and this is %s",
		               reader_shape(r));
		reader_skip(r);
		return;
	}
	if (reading.index == CONFIG_REALMS_MAX) {
		config_problem(r->problems, reader_place(r), "there are more than %d realms", CONFIG_REALMS_MAX);
		r->stopped = true;
		return;
	}
	struct realm_settings *more = realloc(s->realms, (reading.index + 1) * sizeof(*more));
	if (!more) {
		reader_no_memory(r);
		return;
	}
	s->realms = more;
	more[reading.index] = (struct realm_settings){.directory = true};
	s->realm_count++;
	r->places.realm[reading.index] = reader_place(r);
	snprintf(reading.name, sizeof(reading.name), "realms[%u]", (unsigned)reading.index);
	reader_each_member(r, realm_member, &reading);
	if (!r->stopped)
		check_realm(r, &reading);
}

void reader_realms(struct reader *r, const struct key *key)
{
	reader_list(r, key, "realms", &r->places.realms, read_realm, NULL, "- name: CORP.TEST on a line below");
}
