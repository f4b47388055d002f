/* Single values of the configuration, each checked against its row. For config_load.c. */
#pragma once
#include "core/ops/config_load_reader.h"

/* What a setting is called in messages: "limits.connections" */
struct name {
	char text[80];
};
struct name name_of(const char *section, const char *name);

/* false: told, and skipped. */
bool reader_expect_scalar(struct reader *r, const char *name);
/* false: told. */
bool reader_text_is_fine(struct reader *r, const char *name);
bool reader_path_is_fine(struct reader *r, const char *name, size_t max);
/* true or false; else told, and *out stays. */
void reader_bool(struct reader *r, const char *name, bool *out);
/* Reads the value of a row into the settings. */
void reader_row(struct reader *r, enum setting_id id, struct config_place key);
