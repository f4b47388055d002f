#include "proto/authlist_doc.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- times ---- */

bool authlist_time_read(struct slice text, int64_t *out_s)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
	char again[AUTHLIST_TIME_BYTES];
	int part[6] = {0};
	if (text.len != sizeof(form) - 1)
		return false;
	for (size_t i = 0, k = 0; i < text.len; i++) {
		char c = text.at[i];
		if (form[i] != 'd') {
			if (c != form[i])
				return false;
			k++;
			continue;
		}
		if (c < '0' || c > '9')
			return false;
		part[k] = part[k] * 10 + (c - '0');
	}
	if (part[0] < 1970)
		return false;
	struct tm t = {.tm_year = part[0] - 1900,
	               .tm_mon = part[1] - 1,
	               .tm_mday = part[2],
	               .tm_hour = part[3],
	               .tm_min = part[4],
	               .tm_sec = part[5]};
	int64_t at = timegm(&t);
	/* timegm() takes February 30 and 25 o'clock; they come back as another time. */
	authlist_time_write(at, again);
	if (!slice_equal(text, slice_str(again)))
		return false;
	*out_s = at;
	return true;
}

void authlist_time_write(int64_t at_s, char out[static AUTHLIST_TIME_BYTES])
{
	struct tm t = {0};
	time_t at = at_s;
	if (at_s < 0 || at_s > 253402300799 /* the last second of 9999 */ || !gmtime_r(&at, &t))
		t = (struct tm){.tm_year = 70, .tm_mday = 1};
	strftime(out, AUTHLIST_TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &t);
}

/* ---- rows ---- */

/* Out of memory shows as NULL at the end: jansson leaves out what it cannot set, so each call is looked at. */
static bool put(json_t *object, const char *key, const char *text)
{
	return !text || json_object_set_new_nocheck(object, key, json_string_nocheck(text)) == 0;
}

static bool put_kind(json_t *to, enum authlist_kind kind, bool expand)
{
	return put(to, "kind", kind == AUTHLIST_KIND_UNKNOWN ? NULL : authlist_kind_word(kind)) &&
	       (!expand || json_object_set_new_nocheck(to, "expand", json_true()) == 0);
}

static bool put_object(json_t *to, const struct authlist_object *o)
{
	char id[AUTHLIST_ID_BYTES];
	return put(to, o->principal ? "principal" : "sid", authlist_object_id(o, id));
}

static char *row_text(json_t *row, bool good)
{
	char *text = good ? json_dumps(row, JSON_PRESERVE_ORDER) : NULL;
	json_decref(row);
	return text;
}

char *authlist_doc_write_entry(const struct authlist_entry *e)
{
	char added[AUTHLIST_TIME_BYTES];
	json_t *row = json_object();
	authlist_time_write(e->added_s, added);
	return row_text(row, put_object(row, &e->object) && put(row, "role", authlist_role_word(e->role)) &&
	                             put(row, "name", e->object.name) && put_kind(row, e->kind, e->object.expand) &&
	                             put(row, "added", added));
}

char *authlist_doc_write_denial(const struct authlist_denial *d)
{
	char until[AUTHLIST_TIME_BYTES];
	json_t *row = json_object();
	authlist_time_write(d->until_s, until);
	return row_text(row, put_object(row, &d->object) && put(row, "name", d->object.name) &&
	                             put_kind(row, d->kind, d->object.expand) &&
	                             put(row, "until", d->until_s ? until : NULL) && put(row, "why", d->why));
}

/* Takes the row. */
static bool print_row(FILE *out, size_t i, char *row)
{
	bool good = row && fprintf(out, "%s\n  %s", i ? "," : "", row) > 0;
	free(row);
	return good;
}

char *authlist_doc_write(const struct authlist_rows *rows, size_t *len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);
	if (!out)
		return NULL;
	bool good = fputs("{\"version\": 1,\n \"entries\": [", out) >= 0;
	for (size_t i = 0; good && i < rows->entry_count; i++)
		good = print_row(out, i, authlist_doc_write_entry(&rows->entries[i]));
	good = good && fputs("],\n \"deny\": [", out) >= 0;
	for (size_t i = 0; good && i < rows->denial_count; i++)
		good = print_row(out, i, authlist_doc_write_denial(&rows->denials[i]));
	good = good && fputs("]}\n", out) >= 0;
	if (fclose(out) == 0 && good)
		return text;
	free(text);
	return NULL;
}
