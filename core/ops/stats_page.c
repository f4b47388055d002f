/* The node for people, as one HTML page without scripts: how it is, who may use it, what it refused and why, what happened last. */
#include "core/base/log.h"
#include "core/ops/proven.h"
#include "core/ops/stats.h"
#include "core/ops/stats_html.h"
#include "core/relay/authlist_sync.h"
#include "proto/authlist_doc.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENTRIES_SHOWN = 50 };

static const char head[] =
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\n"
        "<meta http-equiv=refresh content=30><title>";
static const char style[] =
        "</title><style>\n"
        ":root{color-scheme:light dark;--line:#8884;--good:#187a3b;--bad:#b3261e;--quiet:#6b6b6b}\n"
        "@media(prefers-color-scheme:dark){:root{--good:#6fcf8f;--bad:#ff8a80;--quiet:#a5a5a5}}\n"
        "body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:1.5em auto;padding:0 1em}\n"
        "h1{font-size:1.4em;margin:0}h2{font-size:1.05em;margin:1.8em 0 .3em}\n"
        ".state{font-size:1.15em;font-weight:600;margin:.3em 0;padding-left:.6em;border-left:.3em solid}\n"
        ".good{color:var(--good)}.bad{color:var(--bad)}.quiet{color:var(--quiet)}\n"
        "table{border-collapse:collapse;width:100%}table+table{margin-top:1em}\n"
        "th{text-align:left;font-weight:600;color:var(--quiet);white-space:nowrap}code.id{display:block}td.a{min-width:"
        "15em}\n"
        "td,th{padding:.2em .8em .2em 0;border-bottom:1px solid "
        "var(--line);vertical-align:top;overflow-wrap:anywhere}\n"
        "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}td.w{white-space:nowrap}\n"
        "code{font:.9em ui-monospace,monospace;overflow-wrap:anywhere}\n"
        "@media(max-width:38em){thead{display:none}tr{display:block;border-bottom:1px solid var(--line);padding:.3em "
        "0}\n"
        "td,td.n,td.w,td.a{display:inline-block;min-width:0;border:0;padding:0 .8em 0 "
        "0;text-align:left;white-space:normal}}\n"
        "</style></head><body>\n";

/* ---- the list ---- */

static void put_entries(FILE *out, const struct authlist_rows *rows)
{
	char id[AUTHLIST_ID_BYTES];
	if (rows->entry_count == 0)
		return;
	fputs("<table><thead><tr><th>Role<th>Name<th>Kind<th>Account or group</thead>\n", out);
	for (size_t i = 0; i < rows->entry_count && i < ENTRIES_SHOWN; i++) {
		const struct authlist_entry *e = &rows->entries[i];
		fprintf(out, "<tr><td>%s<td>", authlist_role_word(e->role));
		html_text(out, e->object.name ? e->object.name : "-");
		fprintf(out, "<td>%s<td><code>", authlist_kind_people(e->kind));
		html_text(out, authlist_object_id(&e->object, id));
		fputs("</code>\n", out);
	}
	fputs("</table>\n", out);
	if (rows->entry_count > ENTRIES_SHOWN)
		fprintf(out, "<p class=quiet>and %zu more; rms-connectorctl servers list shows all</p>\n",
		        rows->entry_count - ENTRIES_SHOWN);
}

static void put_denials(FILE *out, const struct authlist_rows *rows)
{
	char id[AUTHLIST_ID_BYTES], until[AUTHLIST_TIME_BYTES];
	if (rows->denial_count == 0)
		return;
	fputs("<table><thead><tr><th>Denied<th>Until (UTC)<th>Why</thead>\n", out);
	for (size_t i = 0; i < rows->denial_count && i < ENTRIES_SHOWN; i++) {
		const struct authlist_denial *d = &rows->denials[i];
		authlist_time_write(d->until_s, until);
		fputs("<tr><td class=a>", out);
		html_account(out, d->object.name, authlist_object_id(&d->object, id));
		if (d->until_s)
			fprintf(out, "<td class=w>%.10s %.5s<td>", until, until + 11);
		else
			fputs("<td class=w>it is lifted<td>", out);
		html_text(out, d->why ? d->why : "-");
		fputc('\n', out);
	}
	fputs("</table>\n", out);
	if (rows->denial_count > ENTRIES_SHOWN)
		fprintf(out, "<p class=quiet>and %zu more; rms-connectorctl deny list shows all</p>\n",
		        rows->denial_count - ENTRIES_SHOWN);
}

static void put_list(FILE *out, const struct stats_source *s)
{
	struct authlist_facts f = {0};
	const struct authlist *list = s->list ? authlist_sync_current(s->list) : NULL;
	fputs("<h2>Authorized servers</h2>\n", out);
	if (s->list)
		authlist_sync_facts(s->list, &f);
	if (f.problem[0]) {
		fputs("<p class=bad>The list could not be read: ", out);
		html_text(out, f.problem);
		fputs("</p>\n", out);
	}
	if (!list) {
		fprintf(out, "<p class=bad>%s</p>\n",
		        f.configured ? "There is no list yet, so nobody is let in."
		                     : "There is no list: list.file is not set.");
		return;
	}
	fprintf(out, "<p>%llu entr%s, %llu denial%s, confirmed <span%s>", (unsigned long long)f.entries,
	        f.entries == 1 ? "y" : "ies", (unsigned long long)f.denials, f.denials == 1 ? "" : "s",
	        f.too_old ? " class=bad" : "");
	html_duration(out, f.age);
	fprintf(out, " ago</span>. <span class=quiet>SHA-256 <code>%s</code></span></p>\n", f.hash);
	put_entries(out, authlist_rows_of(list));
	put_denials(out, authlist_rows_of(list));
}

/* ---- answers ---- */

static int64_t sum_of_effect(const struct stats_source *s, enum err_effect effect)
{
	int64_t sum = 0;
	for (unsigned op = 0; op < metric_label_count(METRIC_LABEL_OP); op++)
		sum += metric_sum(s->blocks, s->block_count, METRIC_requests, op, effect);
	return sum;
}

static void put_answers(FILE *out, const struct stats_source *s)
{
	static const char *const effects[EFFECT_COUNT] = {"goes on", "tries again later", "gives up"};
	bool any = false;
	fprintf(out,
	        "<h2>Requests since the start</h2>\n<p>%lld answered in the ordinary way, %lld to be tried again "
	        "later, %lld refused "
	        "for "
	        "good. %lld connections of callers are open.</p>\n",
	        (long long)sum_of_effect(s, EFFECT_OK), (long long)sum_of_effect(s, EFFECT_DEFERRED),
	        (long long)sum_of_effect(s, EFFECT_FINAL),
	        (long long)metric_sum(s->blocks, s->block_count, METRIC_client_connections_open, 0, 0));
	for (unsigned code = 1; code < ERR_COUNT; code++) {
		const struct err_row *row = err_row(code);
		int64_t n = metric_sum(s->blocks, s->block_count, METRIC_self_made_answers, code, 0);
		if (n == 0)
			continue;
		if (!any)
			fputs("<table><thead><tr><th>Answers<th>Status<th>Because<th>The caller then</thead>\n", out);
		any = true;
		fprintf(out, "<tr><td>%lld<td>%u<td>", (long long)n, row->status);
		html_text(out, row->text);
		fprintf(out, "<td>%s\n", effects[row->effect]);
	}
	fputs(any ? "</table>\n" : "<p class=quiet>The node refused nothing.</p>\n", out);
}

/* ---- events ---- */

static void put_events(FILE *out)
{
	struct log_event *recent = calloc(LOG_RECENT, sizeof(*recent));
	size_t n = recent ? log_recent(recent, LOG_RECENT) : 0;
	fputs("<h2>Last events</h2>\n<table><thead><tr><th>Time (UTC)<th class=n>Event<th>What</thead>\n", out);
	for (size_t i = 0; i < n; i++) {
		const struct event_row *row = event_row(recent[i].id);
		char time[25];
		clock_format(recent[i].wall, time);
		fprintf(out, "<tr><td class=w>%.10s %.8s<td class=n>%u<td%s>", time, time + 11, row->number,
		        row->level == LEVEL_INFO ? "" : " class=bad");
		html_text(out, recent[i].text);
		fputc('\n', out);
	}
	fputs("</table>\n", out);
	free(recent);
}

/* ---- the service ---- */

static void put_proven(FILE *out, const struct stats_source *s)
{
	char sentence[1024];
	if (!s->upstream_url)
		return;
	bool proven = proven_sentence(s->state_directory, s->upstream_url, sentence, sizeof(sentence));
	fprintf(out, "<p class=%s>Azure RMS: ", proven ? "quiet" : "bad");
	html_text(out, sentence);
	fputs("</p>\n", out);
}

char *stats_page(const struct stats_source *s, size_t *len)
{
	char *text = NULL, sentence[512];
	FILE *out = open_memstream(&text, len);
	if (!out)
		return NULL;
	if (s->refresh)
		s->refresh(s->context);
	bool good = stats_sentence(s, sentence, sizeof(sentence));
	fputs(head, out);
	html_text(out, s->node);
	fprintf(out, ": %s%s<h1>", stats_state(s), style);
	html_text(out, s->node);
	fprintf(out, "</h1>\n<p class=\"state %s\">", good ? "good" : "bad");
	html_text(out, sentence);
	fputs("</p>\n<p class=quiet>rms-connector ", out);
	html_text(out, s->version);
	fprintf(out, ", %zu worker%s, up for ", s->block_count, s->block_count == 1 ? "" : "s");
	html_duration(out, clock_now() - s->started);
	fputs("</p>\n", out);
	put_proven(out, s);
	stats_page_callers(out, s);
	put_list(out, s);
	put_answers(out, s);
	put_events(out);
	fputs("<p class=quiet>For programs: <a href=/stats>/stats</a> <a href=/metrics>/metrics</a> <a "
	      "href=/readyz>/readyz</a> "
	      "<a href=/livez>/livez</a></p>\n</body></html>\n",
	      out);
	bool bad = ferror(out);
	if (fclose(out) || bad) {
		free(text);
		return NULL;
	}
	return text;
}
