#include "core/ops/admin_rows.h"
#include "core/base/check.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct admin_row rows[ADMIN_COMMAND_COUNT] = {
#define ADMIN(name, function, role, usage, help) {name, ADMIN_##role, usage, help},
#include "core/ops/admin.def"
#undef ADMIN
};

const struct admin_row *admin_row(enum admin_command command)
{
	CHECK(command < ADMIN_COMMAND_COUNT);
	return &rows[command];
}

const char *admin_role_word(enum admin_role role)
{
	static const char *const words[] = {"nobody", "viewer", "operator", "security-admin"};
	return words[role <= ADMIN_SECURITY ? role : ADMIN_NOBODY];
}

/* How many of the words the command's name takes; 0: it is not that command. */
static size_t words_of(const char *name, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(words[i]);
		if (strncmp(name, words[i], n) || (name[n] != ' ' && name[n] != 0))
			return 0;
		if (name[n] == 0)
			return i + 1;
		name += n + 1;
	}
	return 0;
}

bool admin_find(const char *const *words, size_t count, enum admin_command *out, size_t *used)
{
	*used = 0;
	for (unsigned i = 0; i < ADMIN_COMMAND_COUNT; i++) {
		size_t n = words_of(rows[i].name, words, count);
		if (n > *used) {
			*used = n;
			*out = i;
		}
	}
	return *used > 0;
}

/* ---- arguments ---- */

/* "--confirm-members" or "ACCOUNT|ID": the key is what stands before the bar, in lower case. */
static void set_key(struct admin_argument *a, const char *word, size_t n)
{
	size_t at = 0;
	while (n && *word == '-') {
		word++;
		n--;
	}
	for (; at < n && at < sizeof(a->key) - 1 && word[at] != '|'; at++)
		a->key[at] = word[at] == '-' ? '_' : (char)tolower((unsigned char)word[at]);
	a->key[at] = 0;
}

size_t admin_arguments(const char *usage, struct admin_argument out[static ADMIN_ARGUMENTS_MAX])
{
	size_t count = 0;
	while (*usage) {
		CHECK(count < ADMIN_ARGUMENTS_MAX);
		struct admin_argument *a = &out[count++];
		bool optional = *usage == '[';
		usage += optional;
		size_t n = strcspn(usage, " ]");
		*a = (struct admin_argument){.required = !optional, .has_value = true};
		set_key(a, usage, n);
		a->is_file = strcmp(a->key, "file") == 0;
		a->is_bytes = strcmp(a->key, "keytab") == 0 || strcmp(a->key, "secret") == 0;
		a->is_standard = strcmp(a->key, "secret") == 0;
		if (usage[0] == '-') {
			snprintf(a->option, sizeof(a->option), "%.*s", (int)n, usage);
			a->has_value = optional && usage[n] == ' ';
			a->required = false;
			if (a->has_value) {
				a->is_file = strncmp(usage + n + 1, "FILE]", 5) == 0;
				n += 1 + strcspn(usage + n + 1, "]");
			}
		}
		usage += n;
		usage += *usage == ']';
		usage += *usage == ' ';
	}
	return count;
}

static const struct admin_argument *by_option(const struct admin_argument *all, size_t n, const char *word, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (all[i].option[0] && strlen(all[i].option) == len && memcmp(all[i].option, word, len) == 0)
			return &all[i];
	return NULL;
}

static const struct admin_argument *next_place(const struct admin_argument *all, size_t n, const json_t *seen)
{
	for (size_t i = 0; i < n; i++)
		if (!all[i].option[0] && !json_object_get(seen, all[i].key))
			return &all[i];
	return NULL;
}

static bool told(char *problem, const struct admin_row *row, const char *what, const char *word)
{
	snprintf(problem, ADMIN_PROBLEM_BYTES, "%s: %.200s. Usage: rms-connectorctl %s%s%s", what, word, row->name,
	         *row->usage ? " " : "", row->usage);
	return false;
}

static bool put(json_t *into, const struct admin_row *row, const char *key, const char *word, char *problem)
{
	json_t *value = json_string(word);
	if (!value)
		return told(problem, row, "an argument is not UTF-8", key);
	return json_object_set_new(into, key, value) == 0;
}

/* One word, or an option and its value; *at moves behind them. */
static bool read_word(const struct admin_row *row, const struct admin_argument *all, size_t n, const char *const *words,
                      size_t count, size_t *at, bool only_places, json_t *into, char *problem)
{
	const char *word = words[(*at)++];
	if (only_places || word[0] != '-' || word[1] == 0) {
		const struct admin_argument *a = next_place(all, n, into);
		return a ? put(into, row, a->key, word, problem) : told(problem, row, "one argument too many", word);
	}
	size_t len = strcspn(word, "=");
	const struct admin_argument *a = by_option(all, n, word, len);
	if (!a)
		return told(problem, row, "this option is not known", word);
	if (json_object_get(into, a->key))
		return told(problem, row, "this option is given twice", word);
	if (!a->has_value)
		return word[len] ? told(problem, row, "this option takes no value", word)
		                 : json_object_set_new(into, a->key, json_true()) == 0;
	if (word[len] == '=')
		return put(into, row, a->key, word + len + 1, problem);
	if (*at == count)
		return told(problem, row, "this option needs a value", word);
	return put(into, row, a->key, words[(*at)++], problem);
}

json_t *admin_arguments_read(const struct admin_row *row, const char *const *words, size_t count,
                             char problem[static ADMIN_PROBLEM_BYTES])
{
	struct admin_argument all[ADMIN_ARGUMENTS_MAX];
	size_t n = admin_arguments(row->usage, all);
	json_t *into = json_object();
	bool only_places = false, fine = into;
	snprintf(problem, ADMIN_PROBLEM_BYTES, "out of memory");
	for (size_t at = 0; fine && at < count;) {
		if (!only_places && strcmp(words[at], "--") == 0) {
			only_places = true;
			at++;
			continue;
		}
		fine = read_word(row, all, n, words, count, &at, only_places, into, problem);
	}
	if (fine && admin_arguments_check(row, into, problem))
		return into;
	json_decref(into);
	return NULL;
}

bool admin_arguments_check(const struct admin_row *row, const json_t *arguments,
                           char problem[static ADMIN_PROBLEM_BYTES])
{
	struct admin_argument all[ADMIN_ARGUMENTS_MAX];
	size_t n = admin_arguments(row->usage, all), known = 0;
	if (!json_is_object(arguments))
		return told(problem, row, "arguments must be an object, and", "are none");
	for (size_t i = 0; i < n; i++) {
		const json_t *value = json_object_get(arguments, all[i].key);
		if (!value && all[i].required)
			return told(problem, row, "an argument is missing", all[i].key);
		if (!value)
			continue;
		known++;
		if (all[i].has_value ? !json_is_string(value) : !json_is_true(value))
			return told(problem, row, all[i].has_value ? "this must be a text" : "this must be true",
			            all[i].key);
		/* Nobody's name or file ends in the middle. */
		if (all[i].has_value && strlen(json_string_value(value)) != json_string_length(value))
			return told(problem, row, "a text holds a NUL", all[i].key);
		if (all[i].has_value && json_string_length(value) == 0)
			return told(problem, row, "this may not be empty", all[i].key);
	}
	if (json_object_size(arguments) == known)
		return true;
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(size_t)arguments, key, value)
	{
		bool is_known = false;
		for (size_t i = 0; i < n; i++)
			is_known |= strcmp(all[i].key, key) == 0;
		if (!is_known)
			return told(problem, row, "this argument is not known", key);
	}
	return true;
}

/* ---- requests ---- */

static const char *wrong_with_request(const json_t *request, enum admin_command *command)
{
	const char *name = json_string_value(json_object_get(request, "command"));
	const json_t *version = json_object_get(request, "version");
	if (!json_is_object(request) || !name || !version || !json_object_get(request, "arguments") ||
	    json_object_size(request) != 3)
		return "a request is {\"version\": 1, \"command\": ..., \"arguments\": {...}} on one line";
	if (!json_is_integer(version) || json_integer_value(version) != ADMIN_VERSION)
		return "the request is of another version; rms-connectorctl and rms-connectord must be of one release";
	for (unsigned i = 0; i < ADMIN_COMMAND_COUNT; i++)
		if (strcmp(rows[i].name, name) == 0) {
			*command = i;
			return NULL;
		}
	return "this node does not know that command; rms-connectorctl help shows them";
}

json_t *admin_request_read(struct slice line, enum admin_command *command, char problem[static ADMIN_PROBLEM_BYTES])
{
	json_t *request = json_loadb(line.at, line.len, JSON_REJECT_DUPLICATES, NULL), *arguments = NULL;
	const char *wrong = request ? wrong_with_request(request, command) : "the request is not JSON on one line";
	if (wrong)
		snprintf(problem, ADMIN_PROBLEM_BYTES, "%s", wrong);
	else if (admin_arguments_check(&rows[*command], json_object_get(request, "arguments"), problem))
		arguments = json_incref(json_object_get(request, "arguments"));
	json_decref(request);
	return arguments;
}
