#include "core/ops/stats_html.h"

void html_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			fputc(*text, out);
		}
	}
}

void html_duration(FILE *out, usec_t took)
{
	uint64_t s = took / 1000000;
	if (s < 120)
		fprintf(out, "%llu s", (unsigned long long)s);
	else if (s < 7200)
		fprintf(out, "%llu min", (unsigned long long)(s / 60));
	else if (s < 172800)
		fprintf(out, "%llu h", (unsigned long long)(s / 3600));
	else
		fprintf(out, "%llu days", (unsigned long long)(s / 86400));
}

void html_account(FILE *out, const char *name, const char *id)
{
	bool named = name && *name;
	html_text(out, named ? name : id);
	if (!named || !*id)
		return;
	fputs(" <code class=\"quiet id\">", out);
	html_text(out, id);
	fputs("</code>", out);
}
