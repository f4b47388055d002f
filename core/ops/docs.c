#include "core/ops/docs.h"
#include "core/base/log.h"
#include "core/base/metrics.h"
#include "core/base/settings.h"
#include "core/ops/stats.h"

#include <string.h>

/* ---- the example ---- */

enum { COLUMNS = 110 };

/* As comment lines of at most COLUMNS, indented. */
static void print_comment(FILE *out, const char *indent, const char *text)
{
	size_t room = COLUMNS - strlen(indent) - 2;
	while (*text) {
		size_t n = strlen(text);
		if (n > room)
			for (n = room; n && text[n] != ' '; n--)
				;
		if (n == 0)
			n = strcspn(text, " ");
		fprintf(out, "%s# %.*s\n", indent, (int)n, text);
		text += n;
		text += strspn(text, " ");
	}
}

static bool is_text(const struct setting_row *row)
{
	return row->type == SETTING_TEXT || row->type == SETTING_PATH;
}

static void print_default(FILE *out, const struct setting_row *row)
{
	if (is_text(row))
		fprintf(out, strchr(row->text, ':') || !*row->text ? "\"%s\"" : "%s", row->text);
	else if (row->type == SETTING_BOOL)
		fputs(row->number ? "true" : "false", out);
	else
		fprintf(out, "%u", row->number);
}

static void print_setting(FILE *out, unsigned id)
{
	const struct setting_row *row = &setting_rows[id];
	print_comment(out, "  ", row->help);
	if (id == SETTING_upstream_url) {
		fputs("  url: https://GUID.rms.REGION.aadrm.com\n", out);
		return;
	}
	fprintf(out, "  #%s: ", row->name);
	print_default(out, row);
	if (row->type == SETTING_U32)
		fprintf(out, "    # %u to %u", row->min, row->max);
	fputc('\n', out);
}

void config_print_example(FILE *out)
{
	fputs("# Configuration of rms-connector. Every setting is shown with its default, as a comment that begins "
	      "with # and no\n"
	      "# space: take the # away to change it. Check this file with: rms-connectord -t -c FILE\n"
	      "\n"
	      "# Where servers connect. The host is numeric: 0.0.0.0 is every IPv4 address of this machine, [::] every "
	      "IPv6 one.\n"
	      "listeners:\n"
	      "  - address: 0.0.0.0:443\n"
	      "    # Certificate chain and key (PEM). For an RSA and an ECDSA pair, write tls as a list of two.\n"
	      "    tls:\n"
	      "      certificate: /etc/rms-connector/tls/certificate.pem\n"
	      "      key: /etc/rms-connector/tls/key.pem\n"
	      "    # What stands before it: direct (nothing), l4 (a balancer that passes TCP on) or l7 (a proxy that "
	      "reads HTTP).\n"
	      "    #behind: direct\n"
	      "    # Whether the balancer says whose a connection is (PROXY protocol); needs balancers, its "
	      "addresses.\n"
	      "    #proxy_protocol: false\n"
	      "    # Extended Protection: what callers prove is bound to their TLS connection. off, accept (when they "
	      "do it) or require.\n"
	      "    #channel_binding: accept\n"
	      "  # Without tls it is plain HTTP, which everybody on the way can read and change:\n"
	      "  #- address: 0.0.0.0:80\n",
	      out);
	fputs("\n"
	      "# Kerberos realms whose accounts may be callers. Without this list: those of the keytab, with a "
	      "directory. A "
	      "trusted realm\n"
	      "# speaks only for the domains that are named; in a realm without a directory, accounts are principal "
	      "names.\n"
	      "#realms:\n"
	      "#  - name: CORP.EXAMPLE\n"
	      "#  - name: TRUSTED.EXAMPLE\n"
	      "#    domains: [S-1-5-21-1000000000-2000000000-3000000000]\n"
	      "#    controllers: [dc1.trusted.example, dc2.trusted.example]   # else found by SRV records\n"
	      "#  - name: UNIX.EXAMPLE\n"
	      "#    directory: false\n",
	      out);
	fputs("\n"
	      "# How the node proves the tenant to the cloud, by the caller's role; a role that has none is deferred. "
	      "Every "
	      "kind and what\n"
	      "# it takes: docs/settings.md.\n"
	      "#credentials:\n"
	      "#  - name: super-user\n"
	      "#    kind: static\n"
	      "#    roles: [exchange]\n"
	      "#    authorization_file: /etc/rms-connector/exchange.authorization\n"
	      "#  - name: ordinary\n"
	      "#    kind: static\n"
	      "#    roles: [sharepoint, fci]\n"
	      "#    authorization_file: /etc/rms-connector/ordinary.authorization\n",
	      out);
	const char *section = "";
	for (unsigned id = 0; id < SETTING_COUNT; id++) {
		if (strcmp(setting_rows[id].section, section)) {
			section = setting_rows[id].section;
			fprintf(out, "\n%s:\n", section);
		}
		print_setting(out, id);
	}
	fputs("  # addresses or prefixes that may read statistics; off loopback this or a client certificate is "
	      "needed\n"
	      "  #allow: [127.0.0.0/8, \"::1\"]\n",
	      out);
}

/* ---- tables ---- */

/* A vertical bar would end the cell. */
static void print_cell(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputs(" |", out);
}

static void print_settings_row(FILE *out, const struct setting_row *row)
{
	fprintf(out, "| `%s` | ", row->name);
	if (is_text(row) && !*row->text)
		fputs("empty", out);
	else
		print_default(out, row);
	if (row->type == SETTING_U32)
		fprintf(out, " | %u to %u | ", row->min, row->max);
	else if (row->type == SETTING_BOOL)
		fputs(" | true, false | ", out);
	else if (row->type == SETTING_PATH)
		fputs(" | path of a file | ", out);
	else
		fprintf(out, " | text, %u to %u bytes | ", row->min, row->max);
	print_cell(out, row->help);
	fputc('\n', out);
}

#define OF(kind) (1u << CREDENTIAL_##kind)

static void print_kinds(FILE *out, uint32_t kinds)
{
	const char *between = "";
	for (unsigned kind = 0; kind < CREDENTIAL_KIND_COUNT; kind++)
		if (kinds & 1u << kind) {
			fprintf(out, "%s%s", between, credential_kind_word(kind));
			between = ", ";
		}
}

static void print_credentials_doc(FILE *out)
{
	fputs("\n## credentials\n\n"
	      "How the node proves the tenant to the cloud: a list, at most 16. Each is for roles, or for single "
	      "entries of "
	      "the list of authorized\nservers, which come before roles; one with neither is for every role. "
	      "Connections, "
	      "TLS sessions and tokens are never shared between two.\n"
	      "Callers whose role has no credential are deferred.\n\n"
	      "| Name | Value | Meaning |\n|---|---|---|\n"
	      "| `name` | word | what messages and metrics call it |\n"
	      "| `kind` | one of those below | |\n"
	      "| `roles` | list of exchange, sharepoint, fci | whose requests it is for |\n"
	      "| `entries` | list of SIDs | entries of the list of authorized servers that it is for, whatever their "
	      "role |\n",
	      out);
	static const struct {
		const char *name, *help;
		uint32_t takes, needs;
	} members[] = {
#define CREDENTIAL_MEMBER(member, type, takes, needs, help) {#member, help, takes, needs},
#include "core/base/credentials.def"
	};
	for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
		fprintf(out, "| `%s` | ", members[i].name);
		print_kinds(out, members[i].takes);
		fprintf(out, "%s | ",
		        members[i].needs == members[i].takes ? ""
		        : members[i].needs                   ? " (not all need it)"
		                                             : " (may be left out)");
		print_cell(out, members[i].help);
		fputc('\n', out);
	}
	fputs("\n| Kind | What it does |\n|---|---|\n", out);
	for (unsigned kind = 0; kind < CREDENTIAL_KIND_COUNT; kind++) {
		fprintf(out, "| `%s` | ", credential_kind_word(kind));
		print_cell(out, credential_kind_people(kind));
		fputc('\n', out);
	}
}

void config_print_settings_doc(FILE *out)
{
	fputs("# Settings\n\n"
	      "Made by `rms-connectord --print-settings-doc` from `core/base/settings.def`. One YAML file, UTF-8; "
	      "`rms-connectord -t -c FILE` checks it and names\nline and column of everything that is wrong. "
	      "`deploy/rms-connector.yaml` is an annotated example.\n\n"
	      "## listeners\n\n"
	      "A list; at least one, at most 64.\n\n"
	      "| Name | Value | Meaning |\n|---|---|---|\n"
	      "| `address` | HOST:PORT | numeric: `0.0.0.0:443`, `[::]:443`, `127.0.0.1:8080` |\n"
	      "| `tls` | `certificate` and `key`, or a list of two such pairs | PEM files; without `tls` the listener "
	      "speaks "
	      "plain HTTP. Two pairs: one with an RSA and one with an ECDSA key |\n"
	      "| `behind` | direct, l4, l7 | what stands before it. `direct` (the default): nothing. `l4`: a balancer "
	      "that passes TCP on, one connection for each of a caller's. `l7`: a proxy that reads HTTP: each request "
	      "must bring its own Kerberos ticket, since the next one may be another caller's, and `auth.ntlm` must be "
	      "off. See load-balancing.md |\n"
	      "| `proxy_protocol` | true, false | each connection must begin with a PROXY header, version 1 or 2, "
	      "which "
	      "names the caller's address. Needs `behind` and `balancers` |\n"
	      "| `balancers` | list of addresses and prefixes, at most 64 | whose PROXY header is believed; nobody "
	      "else "
	      "may connect to this listener |\n"
	      "| `channel_binding` | off, accept, require | what callers prove is bound to their TLS connection "
	      "(Extended Protection). `accept` (the default with `tls`, unless behind l7): refused when it is bound to "
	      "another one. `require`: also when it is bound to none. `off`: not looked at |\n\n"
	      "## realms\n\n"
	      "Kerberos realms whose accounts may be callers, at most 64. Without this list: the realms of the keytab, "
	      "with "
	      "a directory.\n\n"
	      "| Name | Value | Meaning |\n|---|---|---|\n"
	      "| `name` | REALM | as tickets write it: `CORP.EXAMPLE` |\n"
	      "| `directory` | true, false | default true: its tickets carry SIDs (a PAC), and one without is refused. "
	      "false: accounts are principal names |\n"
	      "| `domains` | list of domains' SIDs | whose SIDs count in its tickets. Needed for a realm that the "
	      "keytab is "
	      "not of; for the keytab's own realm, empty means all |\n"
	      "| `controllers` | list of host names | domain controllers, in the order in which they are tried. Empty: "
	      "found by the SRV records of _ldap._tcp.dc._msdcs.REALM |\n"
	      "| `bind_dn` | name | account for LDAPS with a password, where the keytab's account is not known. Empty: "
	      "LDAP signed and sealed by Kerberos, with the keytab |\n"
	      "| `password_file` | path | its password, on the first line |\n"
	      "| `ca_file` | path | who may have issued the controllers' certificates (PEM). Empty: the system's |\n",
	      out);
	print_credentials_doc(out);
	const char *section = "";
	for (unsigned id = 0; id < SETTING_COUNT; id++) {
		if (strcmp(setting_rows[id].section, section)) {
			section = setting_rows[id].section;
			fprintf(out, "\n## %s\n\n| Name | Default | Values | Meaning |\n|---|---|---|---|\n", section);
		}
		print_settings_row(out, &setting_rows[id]);
	}
	fputs("| `allow` | empty | list of addresses and prefixes | who may read statistics, such as `[10.0.0.0/8, "
	      "\"2001:db8::/32\"]`; empty: everybody who can reach the address |\n\n"
	      "A statistics address that is not loopback needs `tls_certificate`, `tls_key` and `tls_client_ca`, or "
	      "`allow`.\n",
	      out);
}

void docs_print_events(FILE *out)
{
	fputs("# Events\n\n"
	      "Made by `rms-connectord --print-events-doc` from `core/base/events.def`. Numbers up to 3001 and their "
	      "levels are those "
	      "that administrators of\nMicrosoft's connector know; from 4000 on they are our own. Events go to "
	      "standard error in "
	      "words, or to `log.events_file` as JSON lines with\n`time`, `source` (always `rms-connector`), `event`, "
	      "`level`, "
	      "`node` and `text`. Of one event at most 10 are written in a minute; the next line then says\nhow many "
	      "more there "
	      "were.\n\n"
	      "| Event | Level | Meaning |\n|---|---|---|\n",
	      out);
	for (unsigned id = 0; id < EVENT_COUNT; id++) {
		const struct event_row *row = event_row(id);
		fprintf(out, "| %u | %s | ", row->number, event_level_name(row->level));
		print_cell(out, row->text);
		fputc('\n', out);
	}
}

void docs_print_metrics(FILE *out)
{
	static const char *const kinds[] = {"counter", "gauge", "histogram"};
	fputs("# Metrics\n\n"
	      "Made by `rms-connectord --print-metrics-doc` from `core/base/metrics.def`. `/metrics` of the statistics "
	      "address shows them "
	      "in Prometheus' text form,\n`/stats` as JSON under their short names. Every series is there from the "
	      "start with zero. "
	      "Times are histograms: a value is off by 1.6 % at most.\n\n"
	      "| Name | Type | Labels | Meaning |\n|---|---|---|---|\n",
	      out);
	const struct stats_fact *fact;
	for (unsigned id = 0; id < METRIC_COUNT; id++) {
		const struct metric_row *row = metric_row(id);
		const char *a = metric_label_name(row->a), *b = metric_label_name(row->b);
		fprintf(out, "| `%s` | %s | %s%s%s | ", row->name, kinds[row->kind], a, *a && *b ? ", " : "", b);
		print_cell(out, row->help);
		fputc('\n', out);
	}
	fputs("| `rms_connector_events_total` | counter | event | Events since the start, by number (see events.md) |\n"
	      "| `rms_connector_build_info` | gauge | node, version | Always 1; the labels tell node and version |\n",
	      out);
	for (size_t i = 0; (fact = stats_fact(i)); i++) {
		fprintf(out, "| `%s` | %s |  | ", fact->name, fact->type);
		print_cell(out, fact->help);
		fputc('\n', out);
	}
}
