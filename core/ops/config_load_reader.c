#include "core/ops/config_load_reader.h"
#include "core/base/utf8.h"

#include <string.h>

static struct config_place place_of(yaml_mark_t mark)
{
	return (struct config_place){(unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

struct config_place reader_place(const struct reader *r)
{
	return place_of(r->event.start_mark);
}

void reader_no_memory(struct reader *r)
{
	r->no_memory = r->stopped = true;
}

/* libyaml would say less about these, or read a file that an editor shows differently. */
bool reader_look_at_bytes(struct slice bytes, struct config_problems *p)
{
	const unsigned char *s = (const unsigned char *)bytes.at, *end = s + bytes.len;
	struct config_place at = {1, 1};
	bool indent = true;
	if (bytes.len > CONFIG_FILE_BYTES) {
		config_problem(p, at, "the file is larger than %d bytes. Is it the right file?", CONFIG_FILE_BYTES);
		return false;
	}
	if (bytes.len >= 2 && (memcmp(s, "\xff\xfe", 2) == 0 || memcmp(s, "\xfe\xff", 2) == 0)) {
		config_problem(p, at, "the file is UTF-16: save it as UTF-8");
		return false;
	}
	while (s != end) {
		uint32_t code;
		size_t n = utf8_sequence(s, (size_t)(end - s), &code);
		if (n == 0) {
			config_problem(p, at, "byte 0x%02x is not UTF-8: save the file as UTF-8", *s);
			return false;
		}
		if (code == '\n') {
			at = (struct config_place){at.line + 1, 1};
			indent = true;
			s++;
			continue;
		}
		bool newline_char = code == 0x2028 || code == 0x2029 || code == 0xfeff || (code & 0xfffe) == 0xfffe;
		if ((code < ' ' && code != '\t' && code != '\r') || (code >= 0x7f && code < 0xa0) || newline_char) {
			config_problem(p, at, "an invisible character (U+%04X) stands here: take it away",
			               (unsigned)code);
			return false;
		}
		if (code == '\t' && indent) {
			config_problem(p, at, "a tab stands at the beginning of a line: indent with spaces");
			return false;
		}
		indent = indent && code == ' ';
		at.column++;
		s += n;
	}
	return true;
}

/* ---- what libyaml says, in words ---- */

static void tell_syntax(struct reader *r)
{
	static const struct {
		const char *theirs, *ours;
		bool where_it_began;
	} words[] = {
	        {"mapping values are not allowed",
	         "a colon stands where none can be. Is the line indented like its neighbours? "
	         "A value that contains \": \" is written in quotes",
	         false},
	        {"did not find expected key",
	         "this does not fit what stands above: indent the settings of one section alike, one on each line",
	         false},
	        {"could not find expected ':'", "a colon and a space are missing: a setting is written NAME: VALUE",
	         true},
	        {"expected '-' indicator",
	         "a list is not finished here: begin each of its entries with a dash, all in the same column", false},
	        {"sequence entries are not allowed",
	         "a dash stands where no list can be: put the list on lines of its own", false},
	        {"unexpected end of stream", "a quote is opened here and never closed", true},
	        {"unexpected document indicator", "a quote is opened here and never closed", true},
	        {"',' or ']'", "a bracket [ is opened here and not closed by ]; its entries are divided by commas",
	         true},
	        {"',' or '}'", "a brace { is opened here and not closed by }; its entries are divided by commas", true},
	        {"cannot start any token", "a value cannot begin with this character unless it is in quotes", false},
	        {"escape character", "in double quotes a backslash begins an escape: write \\\\ or use single quotes",
	         false},
	        {"expected <document start>",
	         "this does not fit what stands above: is something closed or indented too early?", false},
	};
	const yaml_parser_t *p = &r->parser;
	r->stopped = true;
	if (p->error == YAML_MEMORY_ERROR || !p->problem) {
		reader_no_memory(r);
		return;
	}
	for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
		if (!strstr(p->problem, words[i].theirs))
			continue;
		bool began = words[i].where_it_began && p->context;
		config_problem(r->problems, place_of(began ? p->context_mark : p->problem_mark), "%s", words[i].ours);
		return;
	}
	config_problem(r->problems, place_of(p->problem_mark), "this is not valid YAML: %s", p->problem);
}

/* ---- events ---- */

void reader_stop(struct reader *r, const char *why)
{
	config_problem(r->problems, reader_place(r), "%s", why);
	r->stopped = true;
}

static void refuse_extras(struct reader *r, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		reader_stop(r, "anchors (&NAME) are not used here: write the value where it is needed");
	else if (tag)
		reader_stop(r, "tags (!NAME) are not used here: take it away");
	else if (r->depth > DEPTH_MAX)
		reader_stop(r, "lists and sections are nested deeper than any setting is");
}

/* The next event; YAML_NO_EVENT once reading has stopped. */
yaml_event_type_t reader_next(struct reader *r)
{
	if (r->stopped)
		return YAML_NO_EVENT;
	yaml_event_delete(&r->event);
	if (!yaml_parser_parse(&r->parser, &r->event)) {
		tell_syntax(r);
		return YAML_NO_EVENT;
	}
	switch (r->event.type) {
	case YAML_ALIAS_EVENT:
		reader_stop(r,
		            "aliases (*NAME) are not used here: write the value itself. A value that begins with * is "
		            "written in quotes");
		break;
	case YAML_SCALAR_EVENT:
		refuse_extras(r, r->event.data.scalar.anchor, r->event.data.scalar.tag);
		break;
	case YAML_SEQUENCE_START_EVENT:
		r->depth++;
		refuse_extras(r, r->event.data.sequence_start.anchor, r->event.data.sequence_start.tag);
		break;
	case YAML_MAPPING_START_EVENT:
		r->depth++;
		refuse_extras(r, r->event.data.mapping_start.anchor, r->event.data.mapping_start.tag);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->depth--;
		break;
	default:
		break;
	}
	return r->stopped ? YAML_NO_EVENT : r->event.type;
}

static bool is_collection(const struct reader *r)
{
	return r->event.type == YAML_SEQUENCE_START_EVENT || r->event.type == YAML_MAPPING_START_EVENT;
}

void reader_skip(struct reader *r)
{
	if (r->stopped || !is_collection(r))
		return;
	unsigned outside = r->depth - 1;
	while (r->depth > outside && reader_next(r) != YAML_NO_EVENT)
		;
}

struct slice reader_scalar(const struct reader *r)
{
	return slice_of((const char *)r->event.data.scalar.value, r->event.data.scalar.length);
}

bool reader_is_plain(const struct reader *r)
{
	return r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* "listeners:" with nothing behind it */
bool reader_is_nothing(const struct reader *r)
{
	return r->event.type == YAML_SCALAR_EVENT && reader_is_plain(r) &&
	       (reader_scalar(r).len == 0 || slice_equal(reader_scalar(r), SLICE("~")) ||
	        slice_equal(reader_scalar(r), SLICE("null")));
}

/* A word may be shown in a message; anything else might be a secret in the wrong file. */
bool reader_is_word(struct slice s, size_t max)
{
	if (s.len == 0 || s.len > max)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", s.at[i]) || !s.at[i])
			return false;
	return true;
}

/* Calls member(r, key, context) with the event of each value. */
void reader_each_member(struct reader *r, void (*member)(struct reader *r, const struct key *key, void *context),
                        void *context)
{
	while (reader_next(r) != YAML_MAPPING_END_EVENT && !r->stopped) {
		struct key key = {.at = reader_place(r)};
		if (r->event.type == YAML_SCALAR_EVENT) {
			if (reader_is_word(reader_scalar(r), KEY_BYTES - 1))
				memcpy(key.text, reader_scalar(r).at, reader_scalar(r).len);
		} else {
			config_problem(r->problems, key.at, "a name is expected here, and a list or a section begins");
			reader_skip(r);
		}
		if (reader_next(r) != YAML_NO_EVENT)
			member(r, &key, context);
	}
}

void reader_each_entry(struct reader *r, void (*entry)(struct reader *r, void *context), void *context)
{
	while (reader_next(r) != YAML_SEQUENCE_END_EVENT && !r->stopped)
		entry(r, context);
}

void reader_list(struct reader *r, const struct key *key, const char *name, struct config_place *seen,
                 void (*entry)(struct reader *r, void *context), void *context, const char *example)
{
	if (seen->line) {
		config_problem(r->problems, key->at, "%s is given twice: first on line %u. Put both into one list",
		               name, seen->line);
		reader_skip(r);
		return;
	}
	*seen = key->at;
	if (r->event.type == YAML_SEQUENCE_START_EVENT) {
		reader_each_entry(r, entry, context);
	} else if (!reader_is_nothing(r)) {
		config_problem(r->problems, reader_place(r), "%s is a list, and this is %s: write %s", name,
		               reader_shape(r), example);
		reader_skip(r);
	}
}

const char *reader_shape(const struct reader *r)
{
	return r->event.type == YAML_SEQUENCE_START_EVENT  ? "a list"
	       : r->event.type == YAML_MAPPING_START_EVENT ? "a section"
	       : reader_is_nothing(r)                      ? "nothing"
	                                                   : "a single value";
}

void reader_unknown(struct reader *r, const struct key *key, const char *where, const char *const *names)
{
	const char *best = NULL;
	unsigned best_distance = 0, distance;
	for (; *names && *key->text; names++)
		if (config_word_near(key->text, *names, &distance) && (!best || distance < best_distance)) {
			best = *names;
			best_distance = distance;
		}
	if (best)
		config_problem(r->problems, key->at, "\"%s\" is not known %s; did you mean %s?", key->text, where,
		               best);
	else if (*key->text)
		config_problem(r->problems, key->at, "\"%s\" is not known %s; see docs/settings.md for what is",
		               key->text, where);
	else
		config_problem(r->problems, key->at, "this name is not known %s; see docs/settings.md for what is",
		               where);
	reader_skip(r);
}
