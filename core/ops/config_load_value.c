#include "core/ops/config_load_value.h"

#include <string.h>

/* ---- single values ---- */

struct name name_of(const char *section, const char *name)
{
	struct name n;
	snprintf(n.text, sizeof(n.text), "%s.%s", section, name);
	return n;
}

bool reader_expect_scalar(struct reader *r, const char *name)
{
	if (r->event.type == YAML_SCALAR_EVENT)
		return true;
	config_problem(r->problems, reader_place(r), "%s is a single value, and this is %s", name, reader_shape(r));
	reader_skip(r);
	return false;
}

static const char *unit_of(const char *name)
{
	static const struct {
		const char *ending, *unit;
	} units[] = {
	        {"_bytes_s", " bytes in a second"}, {"_bytes", " bytes"}, {"_ms", " milliseconds"}, {"_s", " seconds"}};
	size_t len = strlen(name);
	for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
		size_t n = strlen(units[i].ending);
		if (len > n && strcmp(name + len - n, units[i].ending) == 0)
			return units[i].unit;
	}
	return "";
}

static void read_number(struct reader *r, const struct setting_row *row, const char *name, uint32_t *out)
{
	struct slice s = reader_scalar(r);
	const char *unit = unit_of(row->name);
	uint64_t value = 0;
	bool digits = s.len > 0 && s.len <= 18;
	for (size_t i = 0; i < s.len && digits; i++) {
		digits = s.at[i] >= '0' && s.at[i] <= '9';
		value = value * 10 + (uint64_t)(s.at[i] - '0');
	}
	if (!reader_is_plain(r))
		config_problem(r->problems, reader_place(r), "%s is a number from %u to %u%s: write it without quotes",
		               name, row->min, row->max, unit);
	else if (digits && s.len > 1 && s.at[0] == '0')
		config_problem(r->problems, reader_place(r),
		               "%s begins with 0, which some programs read as octal: write it without", name);
	else if (digits && (value < row->min || value > row->max))
		config_problem(r->problems, reader_place(r), "%s is %llu; it must be from %u to %u%s", name,
		               (unsigned long long)value, row->min, row->max, unit);
	else if (digits)
		*out = (uint32_t)value;
	else if (reader_is_word(s, 20))
		config_problem(r->problems, reader_place(r),
		               "%s is \"%.*s\"; it must be a whole number from %u to %u%s, digits only", name,
		               SLICE_ARG(s), row->min, row->max, unit);
	else
		config_problem(r->problems, reader_place(r), "%s must be a whole number from %u to %u%s, digits only",
		               name, row->min, row->max, unit);
}

void reader_bool(struct reader *r, const char *name, bool *out)
{
	struct slice s = reader_scalar(r);
	if (reader_is_plain(r) && (slice_equal(s, SLICE("true")) || slice_equal(s, SLICE("false"))))
		*out = s.at[0] == 't';
	else
		config_problem(r->problems, reader_place(r), "%s must be true or false, without quotes", name);
}

/* Text without control characters; told when it is not. */
bool reader_text_is_fine(struct reader *r, const char *name)
{
	struct slice s = reader_scalar(r);
	if (reader_is_nothing(r)) {
		config_problem(r->problems, reader_place(r),
		               "%s has no value: write \"\" for none, or take the line away", name);
		return false;
	}
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] < ' ' || s.at[i] == 0x7f) {
			config_problem(r->problems, reader_place(r), "%s must be one line without control characters",
			               name);
			return false;
		}
	return true;
}

bool reader_path_is_fine(struct reader *r, const char *name, size_t max)
{
	struct slice s = reader_scalar(r);
	if (!reader_text_is_fine(r, name))
		return false;
	if (s.len > max)
		config_problem(r->problems, reader_place(r), "%s is longer than the %zu bytes a path may have", name,
		               max);
	else if (s.len && s.at[0] != '/')
		config_problem(r->problems, reader_place(r),
		               "%s must be a whole path that begins with / (the service has no current "
		               "directory of its own)",
		               name);
	else if (s.len && s.at[s.len - 1] == '/')
		config_problem(r->problems, reader_place(r), "%s must name a file, and this ends like a directory",
		               name);
	else
		return true;
	return false;
}

void reader_row(struct reader *r, enum setting_id id, struct config_place key)
{
	const struct setting_row *row = &setting_rows[id];
	struct name n = name_of(row->section, row->name);
	void *out = (char *)r->settings + row->offset;
	if (r->places.row[id].line) {
		config_problem(r->problems, key, "%s is given twice: first on line %u. Keep one", n.text,
		               r->places.row[id].line);
		reader_skip(r);
		return;
	}
	r->places.row[id] = reader_place(r);
	if (!reader_expect_scalar(r, n.text))
		return;
	if (row->type == SETTING_U32) {
		read_number(r, row, n.text, out);
	} else if (row->type == SETTING_BOOL) {
		reader_bool(r, n.text, out);
	} else {
		struct slice s = reader_scalar(r);
		bool fine = row->type == SETTING_PATH ? reader_path_is_fine(r, n.text, row->max)
		                                      : reader_text_is_fine(r, n.text);
		if (fine && (s.len < row->min || s.len > row->max))
			config_problem(r->problems, reader_place(r), "%s is %zu bytes long; it must be from %u to %u",
			               n.text, s.len, row->min, row->max);
		else if (fine && !settings_set_text(r->settings, id, s.at, s.len))
			reader_no_memory(r);
	}
}
