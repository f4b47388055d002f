#include "core/authd/directory_filter.h"

#include <stdio.h>
#include <stdlib.h>

static void add(struct filter *f, const char *at, size_t n)
{
	if (f->broken)
		return;
	if (f->len + n + 1 > f->room) {
		size_t room = f->room ? f->room : 256;
		while (room < f->len + n + 1)
			room *= 2;
		char *grown = room <= DIRECTORY_FILTER_BYTES ? realloc(f->at, room) : NULL;
		if (grown == NULL) {
			f->broken = true;
			return;
		}
		f->at = grown;
		f->room = room;
	}
	memcpy(f->at + f->len, at, n);
	f->len += n;
	f->at[f->len] = 0;
}

static void add_byte(struct filter *f, uint8_t byte)
{
	char text[4];
	snprintf(text, sizeof(text), "\\%02x", byte);
	add(f, text, 3);
}

void filter_add(struct filter *f, const char *text)
{
	add(f, text, strlen(text));
}

/* Letters of other alphabets stay as they are: the value is UTF-8 on the wire as well. */
static void escape(struct filter *f, struct slice value, bool keep_stars)
{
	for (size_t i = 0; i < value.len; i++) {
		char c = value.at[i];
		bool plain = (uint8_t)c >= 0x20 && c != 0x7f && c != '(' && c != ')' && c != '\\' && c != '*';
		if (plain || (c == '*' && keep_stars))
			add(f, &value.at[i], 1);
		else
			add_byte(f, (uint8_t)c);
	}
}

void filter_value(struct filter *f, struct slice value)
{
	escape(f, value, false);
}

void filter_pattern(struct filter *f, struct slice pattern)
{
	escape(f, pattern, true);
}

void filter_sid(struct filter *f, const struct sid *s)
{
	for (size_t i = 0; i < sid_bytes(s); i++)
		add_byte(f, s->bytes[i]);
}

void filter_number(struct filter *f, uint32_t value)
{
	char text[12];
	add(f, text, (size_t)snprintf(text, sizeof(text), "%u", value));
}

const char *filter_text(const struct filter *f)
{
	return f->broken ? NULL : f->at;
}

void filter_done(struct filter *f)
{
	free(f->at);
	*f = (struct filter){0};
}
