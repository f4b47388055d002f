#include "proto/authlist_doc.h"

#include "core/base/check.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct reading {
	char *problem; /* AUTHLIST_DOC_PROBLEM_BYTES */
	const char *list;
	size_t number;      /* in that list, from 1 */
	bool out_of_memory; /* then problem says nothing */
};

/* Begins with "entry 3: " and so on. Always false. What goes in was checked, or is cut and printable. */
PRINTF_LIKE(2, 3) static bool wrong(struct reading *r, const char *format, ...)
{
	int n = r->list ? snprintf(r->problem, AUTHLIST_DOC_PROBLEM_BYTES, "%s %zu: ", r->list, r->number)
	                : snprintf(r->problem, AUTHLIST_DOC_PROBLEM_BYTES, "the document: ");
	va_list args;
	va_start(args, format);
	vsnprintf(r->problem + n, AUTHLIST_DOC_PROBLEM_BYTES - (size_t)n, format, args);
	va_end(args);
	return false;
}

static bool out_of_memory(struct reading *r)
{
	r->out_of_memory = true;
	return false;
}

/* Text from the document for a problem line: printable ASCII, others become '?'; cut. */
static const char *shown(const char *text, char out[static 65])
{
	size_t n = 0;
	for (; text[n] && n < 64; n++)
		out[n] = (char)(text[n] >= ' ' && text[n] <= '~' ? text[n] : '?');
	out[n] = 0;
	return out;
}

/* Small enough to be a list: the parser's tree needs a hundred bytes for two of the text. */
static bool is_of_bounded_size(struct slice text)
{
	enum { VALUES_MAX = 2 * AUTHLIST_ROWS_MAX * 8 + 16, DEPTH_MAX = 3 };
	size_t values = 0, depth = 0;
	bool in_text = false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		if (in_text) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_text = false;
			continue;
		}
		if (c == '"')
			in_text = true;
		else if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth > 0)
			depth--;
		values += c == ',' || c == '{' || c == '[';
		if (values > VALUES_MAX || depth > DEPTH_MAX)
			return false;
	}
	return true;
}

static bool keys_are_known(struct reading *r, json_t *object, const char *const *known, size_t count)
{
	const char *key;
	json_t *value;
	char text[65];
	if (!json_is_object(object))
		return wrong(r, "is not an object {...}");
	json_object_foreach(object, key, value)
	{
		bool found = false;
		for (size_t i = 0; i < count && !found; i++)
			found = strcmp(key, known[i]) == 0;
		if (!found)
			return wrong(r, "\"%s\" is not known here", shown(key, text));
	}
	return true;
}

/* *out: "" when it is not there. */
static bool text_of(struct reading *r, json_t *object, const char *key, const char **out)
{
	json_t *value = json_object_get(object, key);
	*out = "";
	if (!value)
		return true;
	if (!json_is_string(value))
		return wrong(r, "\"%s\" is not a text in quotes", key);
	*out = json_string_value(value);
	return **out || wrong(r, "\"%s\" is empty", key);
}

static bool copy(struct reading *r, const char *text, char **out)
{
	*out = strdup(text);
	return *out || out_of_memory(r);
}

/* Text for people; *out stays NULL when it is not there. */
static bool people_text_of(struct reading *r, json_t *object, const char *key, char **out)
{
	const char *text;
	if (!text_of(r, object, key, &text))
		return false;
	if (!*text)
		return true;
	const char *why = authlist_text_wrong(slice_str(text));
	return why ? wrong(r, "\"%s\" %s", key, why) : copy(r, text, out);
}

static bool time_of(struct reading *r, json_t *object, const char *key, int64_t *out_s)
{
	const char *text;
	char cut[65];
	*out_s = 0;
	if (!text_of(r, object, key, &text))
		return false;
	if (*text && !authlist_time_read(slice_str(text), out_s))
		return wrong(r, "\"%s\" is not a time such as 2026-11-22T10:00:00Z: %s", key, shown(text, cut));
	return true;
}

static bool object_of(struct reading *r, json_t *from, struct authlist_object *out)
{
	const char *sid, *principal, *why = NULL;
	char cut[65];
	if (!text_of(r, from, "sid", &sid) || !text_of(r, from, "principal", &principal))
		return false;
	if (!*sid == !*principal)
		return wrong(r, "needs either \"sid\" or \"principal\"");
	if (*sid && !sid_parse(slice_str(sid), &out->sid))
		return wrong(r, "\"sid\" is not a SID such as S-1-5-21-1-2-3-1104: %s", shown(sid, cut));
	if (*principal)
		why = authlist_principal_wrong(slice_str(principal));
	if (why)
		return wrong(r, "\"principal\" %s: %s", why, shown(principal, cut));
	return (!*principal || copy(r, principal, &out->principal)) && people_text_of(r, from, "name", &out->name);
}

static bool kind_of(struct reading *r, json_t *from, enum authlist_kind *out)
{
	const char *kind;
	char cut[65];
	if (!text_of(r, from, "kind", &kind))
		return false;
	if (*kind && !authlist_kind_read(slice_str(kind), out))
		return wrong(r, "\"kind\" is group, user, computer, gmsa, distribution or unknown, not %s",
		             shown(kind, cut));
	return true;
}

static bool mark_of(struct reading *r, json_t *from, const char *key, bool *out)
{
	json_t *value = json_object_get(from, key);
	if (value && !json_is_boolean(value))
		return wrong(r, "\"%s\" is neither true nor false", key);
	*out = json_is_true(value);
	return true;
}

static bool read_entry(struct reading *r, json_t *from, struct authlist_entry *out)
{
	static const char *const known[] = {"sid", "principal", "role", "name", "kind", "expand", "added"};
	const char *role, *why;
	char cut[65];
	if (!keys_are_known(r, from, known, ARRAY_COUNT(known)) || !object_of(r, from, &out->object) ||
	    !text_of(r, from, "role", &role) || !kind_of(r, from, &out->kind) ||
	    !mark_of(r, from, "expand", &out->object.expand) || !time_of(r, from, "added", &out->added_s))
		return false;
	if (!sid_is_none(&out->object.sid) && (why = authlist_sid_wrong(&out->object.sid)))
		return wrong(r, "\"sid\" %s", why);
	if (!*role)
		return wrong(r, "has no \"role\": exchange, sharepoint or fci");
	if (!authlist_role_read(slice_str(role), &out->role))
		return wrong(r, "\"role\" is exchange, sharepoint or fci, not %s", shown(role, cut));
	if (!json_object_get(from, "added"))
		return wrong(r, "has no \"added\", the time since when it is on the list: 2026-11-22T10:00:00Z");
	return true;
}

static bool read_denial(struct reading *r, json_t *from, struct authlist_denial *out)
{
	static const char *const known[] = {"sid", "principal", "name", "kind", "expand", "until", "why"};
	if (!keys_are_known(r, from, known, ARRAY_COUNT(known)) || !object_of(r, from, &out->object) ||
	    !kind_of(r, from, &out->kind) || !mark_of(r, from, "expand", &out->object.expand) ||
	    !time_of(r, from, "until", &out->until_s) || !people_text_of(r, from, "why", &out->why))
		return false;
	if (json_object_get(from, "until") && out->until_s == 0)
		return wrong(r, "\"until\" is the beginning of 1970; leave it out to deny until it is lifted");
	return true;
}

struct place {
	const struct authlist_object *object;
	size_t number;
};

static int compare_places(const void *left, const void *right)
{
	const struct place *a = left, *b = right;
	int by_object = authlist_object_compare(a->object, b->object);
	return by_object ? by_object : a->number < b->number ? -1 : a->number > b->number;
}

static bool is_without_doubles(struct reading *r, const struct authlist_object *first, size_t stride, size_t count)
{
	struct place *places = calloc(count + 1, sizeof(*places));
	char id[AUTHLIST_ID_BYTES];
	bool good = true;
	if (!places)
		return out_of_memory(r);
	for (size_t i = 0; i < count; i++)
		places[i] = (struct place){(const void *)((const char *)first + i * stride), i + 1};
	qsort(places, count, sizeof(*places), compare_places);
	for (size_t i = 1; i < count && good; i++)
		if (authlist_object_compare(places[i].object, places[i - 1].object) == 0) {
			r->number = places[i].number;
			good = wrong(r, "%s is also %s %zu", authlist_object_id(places[i].object, id), r->list,
			             places[i - 1].number);
		}
	free(places);
	return good;
}

/* *count grows while rows are read, so that a refused list can be freed. */
static bool read_entries(struct reading *r, json_t *list, struct authlist_rows *out)
{
	size_t count = json_array_size(list);
	if (!json_is_array(list))
		return wrong(r, "\"entries\" is missing, or not a list [...]");
	if (count > AUTHLIST_ROWS_MAX)
		return wrong(r, "has more than %d entries", AUTHLIST_ROWS_MAX);
	out->entries = calloc(count + 1, sizeof(*out->entries));
	if (!out->entries)
		return out_of_memory(r);
	r->list = "entry";
	while (out->entry_count < count) {
		json_t *row = json_array_get(list, out->entry_count);
		r->number = ++out->entry_count;
		if (!read_entry(r, row, &out->entries[out->entry_count - 1]))
			return false;
	}
	return is_without_doubles(r, &out->entries->object, sizeof(*out->entries), count);
}

static bool read_denials(struct reading *r, json_t *list, struct authlist_rows *out)
{
	size_t count = json_array_size(list);
	r->list = NULL;
	if (list && !json_is_array(list))
		return wrong(r, "\"deny\" is not a list [...]");
	if (count > AUTHLIST_ROWS_MAX)
		return wrong(r, "has more than %d deny entries", AUTHLIST_ROWS_MAX);
	out->denials = calloc(count + 1, sizeof(*out->denials));
	if (!out->denials)
		return out_of_memory(r);
	r->list = "deny entry";
	while (out->denial_count < count) {
		json_t *row = json_array_get(list, out->denial_count);
		r->number = ++out->denial_count;
		if (!read_denial(r, row, &out->denials[out->denial_count - 1]))
			return false;
	}
	return is_without_doubles(r, &out->denials->object, sizeof(*out->denials), count);
}

static bool read_document(struct reading *r, json_t *root, struct authlist_rows *out)
{
	static const char *const known[] = {"version", "entries", "deny"};
	if (!keys_are_known(r, root, known, ARRAY_COUNT(known)))
		return false;
	json_t *version = json_object_get(root, "version");
	if (!json_is_integer(version) || json_integer_value(version) != 1)
		return wrong(r, "\"version\" is missing, or not 1");
	return read_entries(r, json_object_get(root, "entries"), out) &&
	       read_denials(r, json_object_get(root, "deny"), out);
}

struct err authlist_doc_read(struct slice text, struct authlist_rows *out,
                             char problem[static AUTHLIST_DOC_PROBLEM_BYTES])
{
	struct reading r = {.problem = problem};
	struct authlist_rows rows = {0};
	json_error_t e;
	char cut[65];
	bool good = false;
	*problem = 0;
	if (text.len > AUTHLIST_DOC_BYTES_MAX || !is_of_bounded_size(text)) {
		wrong(&r, "is too large, or nested too deeply, to be a list of authorized servers");
		return ERR_OF(FILE);
	}
	json_t *root = json_loadb(text.len ? text.at : "", text.len, JSON_REJECT_DUPLICATES, &e);
	if (root)
		good = read_document(&r, root, &rows);
	else if (json_error_code(&e) == json_error_out_of_memory)
		r.out_of_memory = true;
	else
		snprintf(problem, AUTHLIST_DOC_PROBLEM_BYTES, "line %d, column %d: %s", e.line, e.column,
		         shown(e.text, cut));
	json_decref(root);
	if (!good) {
		authlist_rows_done(&rows);
		return r.out_of_memory ? ERR_OF(NO_MEMORY) : ERR_OF(FILE);
	}
	authlist_rows_sort(&rows);
	*out = rows;
	return OK;
}
