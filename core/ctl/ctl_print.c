#include "core/ctl/ctl_print.h"
#include "core/base/utf8.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 16, CELL_BYTES = 512, INDENT = 2 };

/* C0, DEL, C1, and what changes the direction of text or hides (U+200B-200F, U+2028-202E, U+2060-206F, U+FEFF). */
static bool is_unsafe(uint32_t c)
{
	return c < ' ' || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

/* Copies what may be shown; returns how many columns it takes (one for each character). */
static size_t make_safe(const char *text, char *out, size_t room)
{
	size_t n = strlen(text), at = 0, columns = 0;
	for (size_t i = 0; i < n; columns++) {
		uint32_t code = 0;
		size_t step = utf8_sequence((const unsigned char *)text + i, n - i, &code);
		bool shown = step && !is_unsafe(code);
		if (at + (shown ? step : 1) >= room)
			break;
		if (shown)
			memcpy(out + at, text + i, step);
		else
			out[at] = '?';
		at += shown ? step : 1;
		i += step ? step : 1;
	}
	out[at] = 0;
	return columns;
}

void ctl_print_text(FILE *out, const char *text)
{
	size_t room = strlen(text) + 1;
	char *safe = malloc(room);
	if (!safe)
		return;
	make_safe(text, safe, room);
	fputs(safe, out);
	free(safe);
}

static bool is_scalar(const json_t *v)
{
	return !json_is_object(v) && !json_is_array(v);
}

/* A value as the text of a cell; returns its columns. */
static size_t cell_text(const json_t *v, char out[static CELL_BYTES])
{
	char number[40];
	if (json_is_string(v))
		return make_safe(json_string_value(v), out, CELL_BYTES);
	if (json_is_integer(v)) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(v));
		return make_safe(number, out, CELL_BYTES);
	}
	if (json_is_real(v)) {
		snprintf(number, sizeof(number), "%.1f", json_real_value(v));
		return make_safe(number, out, CELL_BYTES);
	}
	if (json_is_boolean(v))
		return make_safe(json_is_true(v) ? "yes" : "no", out, CELL_BYTES);
	char *text = v && !json_is_null(v) ? json_dumps(v, JSON_COMPACT) : NULL;
	size_t columns = make_safe(text ? text : "-", out, CELL_BYTES);
	free(text);
	return columns;
}

static void print_key(FILE *out, const char *key, bool upper)
{
	for (; *key; key++)
		fputc(*key == '_' ? ' ' : upper ? toupper((unsigned char)*key) : *key, out);
}

static void print_padded(FILE *out, const char *text, size_t columns, size_t width)
{
	fputs(text, out);
	for (; columns < width; columns++)
		fputc(' ', out);
}

/* ---- tables ---- */

static size_t columns_of(const json_t *rows, const char *keys[static COLUMNS_MAX])
{
	size_t count = 0, i;
	json_t *row, *value;
	const char *key;
	json_array_foreach(rows, i, row) json_object_foreach(row, key, value)
	{
		size_t k = 0;
		while (k < count && strcmp(keys[k], key))
			k++;
		if (k == count && count < COLUMNS_MAX)
			keys[count++] = key;
	}
	return count;
}

static void print_table(FILE *out, const json_t *rows)
{
	const char *keys[COLUMNS_MAX];
	size_t widths[COLUMNS_MAX], count = columns_of(rows, keys), i;
	char cell[CELL_BYTES];
	json_t *row;
	for (size_t k = 0; k < count; k++) {
		widths[k] = strlen(keys[k]);
		json_array_foreach(rows, i, row)
		{
			size_t n = cell_text(json_object_get(row, keys[k]), cell);
			widths[k] = n > widths[k] ? n : widths[k];
		}
	}
	for (size_t k = 0; k < count; k++) {
		print_key(out, keys[k], true);
		for (size_t n = strlen(keys[k]); k + 1 < count && n < widths[k] + 2; n++)
			fputc(' ', out);
	}
	fputc('\n', out);
	json_array_foreach(rows, i, row)
	{
		for (size_t k = 0; k < count; k++) {
			size_t n = cell_text(json_object_get(row, keys[k]), cell);
			print_padded(out, cell, n, k + 1 < count ? widths[k] + 2 : 0);
		}
		fputc('\n', out);
	}
}

static bool is_table(const json_t *v)
{
	size_t i;
	json_t *row;
	json_array_foreach(v, i, row) if (!json_is_object(row)) return false;
	return json_array_size(v) > 0;
}

/* ---- objects ---- */

static void indent(FILE *out, unsigned depth)
{
	for (unsigned i = 0; i < depth * INDENT; i++)
		fputc(' ', out);
}

static void print_object(FILE *out, const json_t *o, unsigned depth)
{
	const char *key;
	json_t *value, *all = (json_t *)(uintptr_t)o;
	char cell[CELL_BYTES];
	size_t width = 0;
	json_object_foreach(all, key, value) if (is_scalar(value) && strlen(key) > width) width = strlen(key);
	json_object_foreach(all, key, value)
	{
		if (!is_scalar(value))
			continue;
		indent(out, depth);
		print_key(out, key, false);
		for (size_t n = strlen(key); n < width + 2; n++)
			fputc(' ', out);
		cell_text(value, cell);
		fprintf(out, "%s\n", cell);
	}
	json_object_foreach(all, key, value)
	{
		if (is_scalar(value) || (json_is_array(value) && !json_array_size(value)))
			continue;
		size_t i;
		json_t *item;
		if (depth == 0 && is_table(value))
			fputc('\n', out);
		indent(out, depth);
		print_key(out, key, false);
		fputs(":\n", out);
		if (json_is_object(value)) {
			print_object(out, value, depth + 1);
		} else if (is_table(value)) {
			print_table(out, value);
		} else {
			json_array_foreach(value, i, item)
			{
				cell_text(item, cell);
				indent(out, depth + 1);
				fprintf(out, "%s\n", cell);
			}
		}
	}
}

void ctl_print_answer(FILE *out, const json_t *result, const json_t *says)
{
	size_t i, tables = 0;
	const char *key;
	json_t *value, *all = (json_t *)(uintptr_t)result;
	const char *document = json_string_value(json_object_get(result, "document"));
	if (document) { /* its lines are JSON, in which no control character stands bare but the newline */
		fputs(document, out);
		return;
	}
	json_array_foreach(says, i, value)
	{
		ctl_print_text(out, json_string_value(value));
		fputc('\n', out);
	}
	if (!json_array_size(says)) {
		if (json_object_size(result) == 1 && is_table(json_object_iter_value(json_object_iter(all))))
			print_table(out, json_object_iter_value(json_object_iter(all)));
		else
			print_object(out, result, 0);
		return;
	}
	/* The sentences said the rest. */
	json_object_foreach(all, key, value) if (is_table(value))
	{
		fputc('\n', out);
		if (tables++ || json_object_size(result) > 1) {
			print_key(out, key, false);
			fputs(":\n", out);
		}
		print_table(out, value);
	}
}
