#include "core/ops/admin_change.h"

#include "core/base/log.h"
#include "core/crypto/crypto.h"
#include "core/ops/audit.h"
#include "core/relay/authlist_sync.h"
#include "proto/authlist_doc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool admin_owns_list(const struct admin_call *c)
{
	return authlist_source_is_local(c->source->settings);
}

/* A list of its own begins empty; one that is there and cannot be read must not be written over. */
static bool begins(const struct admin_call *c)
{
	char path[4200];
	const char *directory = c->source->settings->node_state_directory;
	if (!admin_owns_list(c) || !*directory || !c->source->list || authlist_sync_current(c->source->list))
		return false;
	snprintf(path, sizeof(path), "%s/list.json", directory);
	return access(path, F_OK) && errno == ENOENT;
}

bool admin_base(struct admin_call *c, const struct authlist_rows **out)
{
	static const struct authlist_rows none;
	uint64_t generation = 0;
	*out = &none;
	if (!begins(c)) {
		const struct authlist *list = admin_list(c);
		if (!list)
			return false;
		*out = authlist_rows_of(list);
		generation = authlist_generation(list);
	}
	if (!c->based)
		c->based_on = generation;
	c->based = true;
	return true;
}

/* ---- one row in, one out ---- */

static bool same_entry(const struct authlist_entry *a, const struct authlist_entry *b)
{
	return b && authlist_object_compare(&a->object, &b->object) == 0;
}

static bool same_denial(const struct authlist_denial *a, const struct authlist_denial *b)
{
	return b && authlist_object_compare(&a->object, &b->object) == 0;
}

/* Rows whose objects stay the list's. false: no memory. */
static bool edit_rows(const struct authlist_rows *base, const struct admin_edit *e, struct authlist_rows *out)
{
	*out = (struct authlist_rows){.entries = calloc(base->entry_count + 1, sizeof(*out->entries)),
	                              .denials = calloc(base->denial_count + 1, sizeof(*out->denials))};
	if (!out->entries || !out->denials)
		return false;
	for (size_t i = 0; i < base->entry_count; i++)
		if (!same_entry(&base->entries[i], e->remove))
			out->entries[out->entry_count++] = base->entries[i];
	for (size_t i = 0; i < base->denial_count; i++)
		if (!same_denial(&base->denials[i], e->lift))
			out->denials[out->denial_count++] = base->denials[i];
	if (e->add)
		out->entries[out->entry_count++] = *e->add;
	if (e->deny)
		out->denials[out->denial_count++] = *e->deny;
	authlist_rows_sort(out);
	return true;
}

/* ---- making it so ---- */

static void not_done(struct admin_call *c, const char *problem)
{
	char what[ADMIN_WORD_BYTES * 2];
	json_t *o = json_object();
	snprintf(what, sizeof(what), "%s (not done)", admin_row(c->command)->name);
	admin_set(o, "problem", admin_string(problem));
	struct err e = audit_append(c->audit, &c->peer, what, NULL, o);
	if (e.code)
		event_log(EVENT_ADMIN_UNAVAILABLE, "%s: %s", what, err_text(e));
	json_decref(o);
}

/* Checks, writes down, does. false: the call has ended with an error. */
static bool replace(struct admin_call *c, struct slice document, const json_t *before, const json_t *after)
{
	char problem[AUTHLIST_DOC_PROBLEM_BYTES];
	struct authlist_rows checked = {0};
	const struct authlist *now = authlist_sync_current(c->source->list);
	if (!c->audit) {
		admin_fail(c, EX_CANTCREAT, "mend that, and restart the node",
		           "changes cannot be written down, so none is made: %s", c->audit_problem);
		return false;
	}
	if ((now ? authlist_generation(now) : 0) != c->based_on) {
		admin_fail(c, EX_TEMPFAIL, "look at the list, and try again",
		           "the list was changed by somebody else meanwhile");
		return false;
	}
	struct err e = authlist_doc_read(document, &checked, problem);
	authlist_rows_done(&checked);
	if (e.code) {
		admin_fail(c, EX_DATAERR, "", "the list would not be right: %s", problem);
		return false;
	}
	e = audit_append(c->audit, &c->peer, admin_row(c->command)->name, before, after);
	if (e.code) {
		admin_fail(c, EX_CANTCREAT, "mend that; rms-connectorctl audit verify says whether the record is whole",
		           "the change cannot be written down, so it is not made: %s", err_text(e));
		return false;
	}
	e = authlist_sync_replace(c->source->list, document, problem);
	if (!e.code)
		return true;
	not_done(c, problem);
	admin_fail(c, e.code == ERR_NO_MEMORY ? EX_TEMPFAIL : EX_IOERR,
	           e.code == ERR_NO_MEMORY ? "rms-connectorctl policy refresh"
	                                   : "see that node.state_directory can be written",
	           "list.json %s", problem);
	return false;
}

static void done_now(struct admin_call *c, json_t *result)
{
	struct authlist_facts facts;
	authlist_sync_facts(c->source->list, &facts);
	admin_set(result, "changed", json_true());
	admin_set(result, "generation", json_integer((json_int_t)facts.generation));
	admin_set(result, "sha256", json_string(facts.hash));
	admin_say(c, "The list of this node is changed: %llu entries, %llu denials, generation %llu, SHA-256 %s",
	          (unsigned long long)facts.entries, (unsigned long long)facts.denials,
	          (unsigned long long)facts.generation, facts.hash);
	if (facts.entries == 0)
		admin_say(c, "Warning: it has no entries, so nobody is let in.");
	admin_done(c, result);
}

void admin_change_all(struct admin_call *c, const struct authlist_rows *rows, json_t *before, json_t *after,
                      json_t *result)
{
	size_t len;
	char hash[2 * AUTHLIST_HASH_BYTES + 1];
	uint8_t bytes[AUTHLIST_HASH_BYTES];
	char *document = authlist_doc_write(rows, &len);
	bool done = false;
	if (!admin_is_heard(c)) {
		admin_fail(c, EX_TEMPFAIL, "", "who asked has left");
	} else if (!document) {
		admin_fail(c, EX_OSERR, "", "the node is out of memory");
	} else {
		crypto_sha256(slice_of(document, len), bytes);
		crypto_hex(bytes, sizeof(bytes), hash);
		admin_set(after, "list_sha256", json_string(hash));
		done = replace(c, slice_of(document, len), before, after);
	}
	free(document);
	json_decref(before);
	json_decref(after);
	if (done)
		done_now(c, result);
	else
		json_decref(result);
}

/* ---- lines for the file ---- */

static json_t *line_of(const struct admin_edit *e)
{
	if (e->add || e->remove)
		return admin_entry_line(e->add ? e->add : e->remove);
	return admin_denial_line(e->deny ? e->deny : e->lift);
}

static void done_with_line(struct admin_call *c, const struct admin_edit *e, json_t *line, json_t *result)
{
	admin_say(c,
	          "Nothing is changed yet: the list comes from %s. %s this line %s its %s, there and on every other "
	          "node:",
	          c->source->settings->list_file, e->add || e->deny ? "Put" : "Take",
	          e->add || e->deny ? "into" : "out of", e->add || e->remove ? "entries" : "deny");
	admin_say(c, "  %s", line ? json_string_value(line) : "");
	admin_set(result, "line", line);
	admin_set(result, "changed", json_false());
	admin_done(c, line ? result : NULL);
	if (!line)
		json_decref(result);
}

void admin_change(struct admin_call *c, const struct admin_edit *e, json_t *result)
{
	const struct authlist_rows *base;
	struct authlist_rows next;
	json_t *line = line_of(e), *record[2] = {json_object(), json_object()};
	if (!admin_owns_list(c)) {
		done_with_line(c, e, line, result);
	} else if (!admin_base(c, &base)) {
		json_decref(line);
		json_decref(result);
	} else {
		bool puts = e->add || e->deny;
		admin_set(record[puts], e->add || e->remove ? "entry" : "deny", json_incref(line));
		admin_set(result, "line", line);
		bool fits = edit_rows(base, e, &next);
		if (fits) {
			admin_change_all(c, &next, json_incref(record[0]), json_incref(record[1]), result);
		} else {
			json_decref(result);
			admin_fail(c, EX_OSERR, "", "the node is out of memory");
		}
		free(next.entries);
		free(next.denials);
	}
	json_decref(record[0]);
	json_decref(record[1]);
}
