/* Of the node's page: who came last and how, who was refused and why. */
#include "core/ops/stats_html.h"
#include "core/relay/accounts.h"

#include <stdlib.h>

enum { CALLERS_SHOWN = 50 };

static const char *how(const struct account_view *v)
{
	return v->how == AUTHD_NTLM ? "NTLM" : v->how == AUTHD_KERBEROS ? "Kerberos" : "not proven (test switch)";
}

static void put_seen(FILE *out, const struct account_view *v, usec_t now)
{
	fprintf(out, "<td class=w>%s, %s<td class=w>", how(v), v->https ? "HTTPS" : "<span class=bad>HTTP</span>");
	html_text(out, v->address);
	fputs("<td class=w>", out);
	html_duration(out, now > v->at ? now - v->at : 0);
	fputs(" ago\n", out);
}

static void put_more(FILE *out, size_t all, size_t shown)
{
	if (all > shown)
		fprintf(out, "<p class=quiet>and %zu that came earlier</p>\n", all - shown);
}

static void put_let_in(FILE *out, struct account_view *rows, usec_t now)
{
	size_t all, n = accounts_recent(true, rows, CALLERS_SHOWN, &all);
	fputs("<h2>Callers</h2>\n", out);
	if (n == 0) {
		fputs("<p class=quiet>No authorized server has come since the start.</p>\n", out);
		return;
	}
	fputs("<table><thead><tr><th>Account<th>Role<th>How<th>From<th>Last seen</thead>\n", out);
	for (size_t i = 0; i < n; i++) {
		fputs("<tr><td class=a>", out);
		html_account(out, rows[i].name, rows[i].sid);
		fprintf(out, "<td>%s", authlist_role_word(rows[i].role));
		put_seen(out, &rows[i], now);
	}
	fputs("</table>\n", out);
	put_more(out, all, n);
}

static void put_refused(FILE *out, struct account_view *rows, usec_t now)
{
	size_t all, n = accounts_recent(false, rows, CALLERS_SHOWN, &all);
	if (n == 0)
		return;
	fputs("<h2>Refused callers</h2>\n<table><thead><tr><th>Account<th>Why<th "
	      "class=n>Requests<th>How<th>From<th>Last "
	      "seen</thead>\n",
	      out);
	for (size_t i = 0; i < n; i++) {
		fputs("<tr><td class=a>", out);
		html_account(out, rows[i].name, rows[i].sid);
		fputs("<td class=bad>", out);
		html_text(out, rows[i].why);
		fprintf(out, "<td class=n>%llu", (unsigned long long)rows[i].refused);
		put_seen(out, &rows[i], now);
	}
	fputs("</table>\n", out);
	put_more(out, all, n);
	fputs("<p class=quiet>More about one of them: <code>rms-connectorctl explain ", out);
	html_text(out, *rows[0].sid ? rows[0].sid : rows[0].name);
	fputs("</code></p>\n", out);
}

/* Of them nobody knows the account. */
static void put_tokens(FILE *out, const struct stats_source *s)
{
	bool any = false;
	unsigned count = metric_label_count(METRIC_LABEL_AUTH_RESULT);
	for (unsigned reason = AUTHD_NONE + 1; reason < AUTHD_REASON_COUNT && reason < count; reason++) {
		const struct authd_reason_row *row = authd_reason_row(reason);
		int64_t n = metric_sum(s->blocks, s->block_count, METRIC_authentications, reason, 0);
		if (n == 0)
			continue;
		if (!any)
			fputs("<h2>Refused tickets and logons</h2>\n<table><thead><tr><th class=n>Times<th>Why<th>What "
			      "helps</thead>\n",
			      out);
		any = true;
		fprintf(out, "<tr><td class=n>%lld<td class=bad>", (long long)n);
		html_text(out, row->text);
		fputs("<td>", out);
		html_text(out, row->mend);
		fputc('\n', out);
	}
	if (any)
		fputs("</table>\n", out);
}

void stats_page_callers(FILE *out, const struct stats_source *s)
{
	struct account_view *rows = calloc(CALLERS_SHOWN, sizeof(*rows));
	usec_t now = clock_now();
	if (rows) {
		put_let_in(out, rows, now);
		put_refused(out, rows, now);
	}
	free(rows);
	put_tokens(out, s);
}
