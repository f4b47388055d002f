/* libyaml's events, one at a time, with what we refuse taken out: anchors, aliases, tags, depth. A function that reads a value is called with the value's
 * first event in reader.event and leaves its last one there. For config_load*.c. */
#pragma once
#include "core/base/slice.h"
#include "core/ops/config_check.h"

#include <yaml.h>

struct reader {
	yaml_parser_t parser;
	yaml_event_t event;
	bool stopped; /* told why; nothing more is read */
	bool no_memory;
	unsigned depth;
	struct config_problems *problems;
	struct settings *settings;
	struct config_places places;
	struct config_place sections[SETTING_COUNT]; /* by the section's first row */
};

enum { KEY_BYTES = 48, DEPTH_MAX = 8 };

struct key {
	char text[KEY_BYTES]; /* empty when it is no word of the kind that settings are */
	struct config_place at;
};

/* false: told. What libyaml would say less about, or read differently from what an editor shows. */
bool reader_look_at_bytes(struct slice bytes, struct config_problems *p);

/* The next event; YAML_NO_EVENT once reading has stopped. */
yaml_event_type_t reader_next(struct reader *r);
void reader_skip(struct reader *r);
void reader_stop(struct reader *r, const char *why);
void reader_no_memory(struct reader *r);
/* Calls fn with the event of each value. */
void reader_each_member(struct reader *r, void (*member)(struct reader *r, const struct key *key, void *context),
                        void *context);
void reader_each_entry(struct reader *r, void (*entry)(struct reader *r, void *context), void *context);
/* The value of key is a list and stands nowhere else (*seen says where, and is set): entry() for each. Else told. */
void reader_list(struct reader *r, const struct key *key, const char *name, struct config_place *seen,
                 void (*entry)(struct reader *r, void *context), void *context, const char *example);

/* Of the current event */
struct config_place reader_place(const struct reader *r);
struct slice reader_scalar(const struct reader *r);
bool reader_is_plain(const struct reader *r);     /* without quotes */
bool reader_is_nothing(const struct reader *r);   /* "listeners:" with nothing behind it */
const char *reader_shape(const struct reader *r); /* "a list" */

/* A word may be shown in a message; anything else might be a secret in the wrong file. */
bool reader_is_word(struct slice s, size_t max);
/* Tells that key is not known, and which of names may be meant; skips its value. names end with NULL. */
void reader_unknown(struct reader *r, const struct key *key, const char *where, const char *const *names);
