/* The commands of administration as a table, and their arguments. rms-connectorctl and the node both read the rows of admin.def, so that help,
 * parser and check cannot disagree. Pure; any thread. */
#pragma once
#include "core/base/slice.h"

#include <jansson.h>

/* Each may also do what those before it may. */
enum admin_role { ADMIN_NOBODY, ADMIN_VIEWER, ADMIN_OPERATOR, ADMIN_SECURITY };
const char *admin_role_word(enum admin_role role); /* "security-admin" */

enum admin_command {
#define ADMIN(name, function, role, usage, help) ADMIN_COMMAND_##function,
#include "core/ops/admin.def"
#undef ADMIN
	ADMIN_COMMAND_COUNT
};

struct admin_row {
	const char *name; /* "servers list" */
	enum admin_role role;
	const char *usage, *help;
};
const struct admin_row *admin_row(enum admin_command command);

enum {
	ADMIN_VERSION = 1,
	ADMIN_LINE_BYTES = 12 * 1024 * 1024, /* a request: a whole list as a JSON string, and some */
	ADMIN_ARGUMENTS_MAX = 12,
	ADMIN_WORD_BYTES = 32,
	ADMIN_PROBLEM_BYTES = 512,
};

/* The command that the first words name; *used: how many they are. */
bool admin_find(const char *const *words, size_t count, enum admin_command *out, size_t *used);

struct admin_argument {
	char key[ADMIN_WORD_BYTES];    /* "confirm_members" */
	char option[ADMIN_WORD_BYTES]; /* "--confirm-members"; "": goes by its place */
	bool has_value, required;
	bool is_file;     /* the value is what is in the file */
	bool is_bytes;    /* the same, of a file that is no text: in base64 */
	bool is_standard; /* when it is not given, that file is standard input */
};
/* What the usage of a row says; returns how many. */
size_t admin_arguments(const char *usage, struct admin_argument out[static ADMIN_ARGUMENTS_MAX]);

/* Words of a command line, without the command's own, as the object of the protocol; files are still their names. NULL: problem says what is wrong. */
json_t *admin_arguments_read(const struct admin_row *row, const char *const *words, size_t count,
                             char problem[static ADMIN_PROBLEM_BYTES]);
/* false: problem says what is wrong with the object. */
bool admin_arguments_check(const struct admin_row *row, const json_t *arguments,
                           char problem[static ADMIN_PROBLEM_BYTES]);

/* A line of the protocol: {"version": 1, "command": ..., "arguments": {...}} and nothing else. Returns the arguments, checked, as the caller's own; NULL:
 * problem says what is wrong. */
json_t *admin_request_read(struct slice line, enum admin_command *command, char problem[static ADMIN_PROBLEM_BYTES]);
