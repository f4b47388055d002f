#include "core/ops/config_load_realms.h"

#include <stdlib.h>
#include <string.h>

enum { REALM_BYTES = 255 };

struct realm_reading {
	char name[16]; /* "realms[0]" */
	size_t index;
	struct config_place name_at, directory_at, domains_at;
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

static void realm_member(struct reader *r, const struct key *key, void *context)
{
	struct realm_reading *reading = context;
	struct realm_settings *into = &r->settings->realms[reading->index];
	static const char *const names[] = {"name", "directory", "domains", NULL};
	struct name n = name_of(reading->name, key->text);
	if (strcmp(key->text, "domains") == 0) {
		reader_list(r, key, n.text, &reading->domains_at, read_domain, reading, "domains: [S-1-5-21-A-B-C]");
		return;
	}
	bool name = strcmp(key->text, "name") == 0;
	if (!name && strcmp(key->text, "directory") != 0) {
		reader_unknown(r, key, "in a realm, which has name, directory and domains", names);
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
