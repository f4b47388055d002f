#include "core/relay/authlist_tell.h"

#include "core/base/log.h"
#include "core/crypto/crypto.h"
#include "proto/authlist_doc.h"

#include <stdio.h>

enum { LINE_BYTES = 880, ROW_BYTES = 2 * AUTHLIST_TEXT_MAX + AUTHLIST_ID_BYTES + 64 };

/* Rows of the list gathered into event lines: the first line counts as the event, the others follow it. */
struct telling {
	char line[LINE_BYTES];
	size_t n;
	bool first, left_out;
};

static void tell_line(struct telling *t)
{
	if (t->first)
		t->left_out = !event_log(EVENT_LIST_UPDATED, "%s", t->line);
	else if (!t->left_out)
		event_log_more(EVENT_LIST_UPDATED, "%s", t->line);
	t->first = false;
	t->n = 0;
}

static void tell_row(struct telling *t, const char *row)
{
	size_t n = strlen(row);
	if (t->n + n + 3 > sizeof(t->line)) {
		tell_line(t);
		t->n = (size_t)snprintf(t->line, sizeof(t->line), "continued: ");
	}
	t->n += (size_t)snprintf(t->line + t->n, sizeof(t->line) - t->n, "%s; ", row);
}

static void tell_rows(struct telling *t, const struct authlist_rows *rows)
{
	char row[ROW_BYTES], id[AUTHLIST_ID_BYTES], until[AUTHLIST_TIME_BYTES];
	for (size_t i = 0; i < rows->entry_count; i++) {
		const struct authlist_entry *e = &rows->entries[i];
		snprintf(row, sizeof(row), "%s %s%s%s%s", authlist_role_word(e->role),
		         e->object.name ? e->object.name : "", e->object.name ? " (" : "",
		         authlist_object_id(&e->object, id), e->object.name ? ")" : "");
		tell_row(t, row);
	}
	for (size_t i = 0; i < rows->denial_count; i++) {
		const struct authlist_denial *d = &rows->denials[i];
		authlist_time_write(d->until_s, until);
		snprintf(row, sizeof(row), "denied %s%s%s%s%s%s", d->object.name ? d->object.name : "",
		         d->object.name ? " (" : "", authlist_object_id(&d->object, id), d->object.name ? ")" : "",
		         d->until_s ? " until " : "", d->until_s ? until : "");
		tell_row(t, row);
	}
}

/* What is in force now shall be found near the end of the log, not where it last changed. */
void authlist_tell(const struct authlist *list, const char *path, bool same)
{
	const struct authlist_rows *rows = authlist_rows_of(list);
	char hash[2 * AUTHLIST_HASH_BYTES + 1];
	struct telling t = {.first = true};
	crypto_hex(authlist_hash(list), AUTHLIST_HASH_BYTES, hash);
	if (rows->entry_count == 0) {
		event_log(EVENT_LIST_EMPTY, "%s has no entries%s; SHA-256 %s", path, same ? ", as before" : "", hash);
		return;
	}
	t.n = (size_t)snprintf(t.line, sizeof(t.line), "%s%zu entries, %zu denials, generation %llu, SHA-256 %s: ",
	                       same ? "read again, unchanged: " : "", rows->entry_count, rows->denial_count,
	                       (unsigned long long)authlist_generation(list), hash);
	tell_rows(&t, rows);
	tell_line(&t);
}
