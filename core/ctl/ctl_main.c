/* rms-connectorctl: administration of the node on this machine, from the rows of core/ops/admin.def. It sends words and shows answers; what they mean
 * and who may give them, the node decides. Exit codes are those of sysexits.h. */
#include "core/base/program.h"
#include "core/base/settings.h"
#include "core/ctl/ctl_client.h"
#include "core/ctl/ctl_print.h"
#include "core/ctl/ctl_prove.h"
#include "core/ops/admin_rows.h"
#include "core/ops/config_load.h"
#include "proto/base64.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

enum { WORDS_MAX = 64, FILE_BYTES = 8 * 1024 * 1024 };

struct options {
	const char *socket, *config;
	bool json, help, version;
	const char *words[WORDS_MAX];
	size_t count;
};

static int usage_error(const char *what, const char *value)
{
	return program_usage_error("rms-connectorctl", what, value);
}

/* ---- help ---- */

static void print_row(const struct admin_row *row)
{
	printf("  %s%s%s\n      %s (%s)\n", row->name, *row->usage ? " " : "", row->usage, row->help,
	       admin_role_word(row->role));
}

/* All rows, or those that begin with the words; how many. */
static unsigned print_rows(const char *beginning)
{
	unsigned count = 0;
	size_t n = strlen(beginning);
	for (unsigned i = 0; i < ADMIN_COMMAND_COUNT; i++) {
		const struct admin_row *row = admin_row(i);
		if (n && (strncmp(row->name, beginning, n) || (row->name[n] && row->name[n] != ' ')))
			continue;
		count++;
		print_row(row);
	}
	return count;
}

static void print_help(void)
{
	printf("rms-connectorctl %s: administration of the rms-connector node on this machine\n\n"
	       "usage: rms-connectorctl [--json] [-c FILE | --socket PATH] COMMAND ...\n\n"
	       "Commands, each with the role that it needs:\n\n",
	       RMS_VERSION);
	print_rows("");
	printf("\nWithout a node:\n\n");
	ctl_prove_help();
	printf("\nOptions:\n"
	       "  -c, --config FILE    the node's configuration, for its admin.socket (default: %s)\n"
	       "      --socket PATH    the node's socket itself\n"
	       "      --json           answers as JSON for programs; docs/admin.schema.json says their shape\n"
	       "  -h, --help, help [COMMAND]\n"
	       "  -V, --version\n\n"
	       "Exit codes: 0 done, 64 wrong usage, 65 refused for what was said, 66 file cannot be read,\n"
	       "69 node or service not there, 70 and 71 the node failed, 73 cannot be written down, 75 try again,\n"
	       "77 not allowed, 78 not set up for this\n",
	       PROGRAM_CONFIG_FILE);
}

static void join(const struct options *o, size_t from, char *out, size_t room)
{
	size_t at = 0;
	out[0] = 0;
	for (size_t i = from; i < o->count && at < room; i++)
		at += (size_t)snprintf(out + at, room - at, "%s%s", i > from ? " " : "", o->words[i]);
}

static int help_about(const struct options *o)
{
	char words[128];
	join(o, 1, words, sizeof(words));
	if (o->count < 2)
		print_help();
	else if (strcmp(words, "upstream prove") == 0)
		ctl_prove_help();
	else if (!print_rows(words))
		return usage_error("there is no command that begins so", words);
	return 0;
}

static int unknown_command(const struct options *o)
{
	char given[128];
	const char *best = NULL;
	unsigned least = 4, distance;
	join(o, 0, given, sizeof(given));
	size_t first = strlen(o->words[0]);
	for (unsigned i = 0; i < ADMIN_COMMAND_COUNT; i++) {
		const char *name = admin_row(i)->name;
		if (strncmp(name, o->words[0], first) == 0 && name[first] == ' ') {
			if (o->count == 1) {
				fprintf(stderr, "rms-connectorctl: %s what? There are:\n", o->words[0]);
				for (unsigned k = i; k < ADMIN_COMMAND_COUNT; k++)
					if (strncmp(admin_row(k)->name, name, first + 1) == 0)
						fprintf(stderr, "  %s\n", admin_row(k)->name);
				return EX_USAGE;
			}
		}
		/* As many words as the command has: the rest are arguments. */
		char begin[128] = "";
		size_t spaces = 0;
		for (const char *at = name; *at; at++)
			spaces += *at == ' ';
		struct options part = *o;
		part.count = part.count > spaces + 1 ? spaces + 1 : part.count;
		join(&part, 0, begin, sizeof(begin));
		if (config_word_near(begin, name, &distance) && distance < least) {
			least = distance;
			best = name;
		}
	}
	fprintf(stderr, "rms-connectorctl: there is no command \"");
	ctl_print_text(stderr, given);
	if (best)
		fprintf(stderr, "\"; did you mean: %s\n", best);
	else
		fprintf(stderr, "\"\nTry: rms-connectorctl help\n");
	return EX_USAGE;
}

/* ---- where the node listens ---- */

/* malloc'd; NULL: told, and *code is the exit code. */
static char *socket_path(const struct options *o, int *code)
{
	struct settings *settings = NULL;
	struct config_problems problems;
	if (o->socket)
		return strdup(o->socket);
	/* Whoever may use the socket need not be able to read the configuration. */
	if (!o->config && access(PROGRAM_CONFIG_FILE, R_OK))
		return strdup(setting_rows[SETTING_admin_socket].text);
	struct err failed = config_load(o->config ? o->config : PROGRAM_CONFIG_FILE, &settings, &problems);
	if (failed.code)
		config_problems_print(&problems, stderr);
	config_problems_done(&problems);
	*code = EX_CONFIG;
	if (failed.code) {
		fprintf(stderr, "rms-connectorctl: name the node's socket with --socket PATH to go on without\n");
		return NULL;
	}
	char *path = *settings->admin_socket ? strdup(settings->admin_socket) : NULL;
	if (!path)
		fprintf(stderr, "rms-connectorctl: admin.socket is empty in that configuration, so this node has no "
		                "administration\n");
	settings_free(settings);
	return path;
}

/* ---- arguments ---- */

/* In base64; NULL: no memory. */
static json_t *bytes_json(const char *bytes, size_t n)
{
	char *text = malloc(base64_len(n) + 1);
	json_t *out = text ? json_stringn(text, base64_encode(slice_of(bytes, n), text)) : NULL;
	if (text)
		explicit_bzero(text, base64_len(n));
	free(text);
	return out;
}

/* What is typed there is not shown while it is a secret. false: it is no terminal. */
static bool hide_typing(struct termios *before)
{
	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, before))
		return false;
	struct termios hidden = *before;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	fputs("It is not shown. Enter, and Ctrl-D, end it: ", stderr);
	return tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0;
}

static int read_file(const char *name, bool is_bytes, json_t **out)
{
	struct termios before;
	bool standard = strcmp(name, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
	char *text = malloc(FILE_BYTES + 1);
	size_t n = 0;
	ssize_t got = fd < 0 || !text ? -1 : 1;
	bool hidden = standard && is_bytes && hide_typing(&before);
	while (got > 0 && n <= FILE_BYTES) {
		got = read(fd, text + n, FILE_BYTES + 1 - n);
		n += got > 0 ? (size_t)got : 0;
	}
	int error = errno;
	if (hidden)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	if (fd >= 0 && !standard)
		close(fd);
	if (got >= 0 && n <= FILE_BYTES)
		*out = is_bytes ? bytes_json(text, n) : json_stringn(text, n);
	if (text)
		explicit_bzero(text, n < FILE_BYTES ? n : FILE_BYTES);
	free(text);
	if (*out)
		return 0;
	fprintf(stderr, "rms-connectorctl: %s: %s\n", name,
	        got < 0          ? strerror(error)
	        : n > FILE_BYTES ? "larger than the 8 MiB that a list may have"
	                         : "not UTF-8");
	return got < 0 ? EX_NOINPUT : EX_DATAERR;
}

static int put_files(const struct admin_row *row, json_t *arguments)
{
	struct admin_argument all[ADMIN_ARGUMENTS_MAX];
	size_t n = admin_arguments(row->usage, all);
	for (size_t i = 0; i < n; i++) {
		json_t *name = json_object_get(arguments, all[i].key), *text = NULL;
		if (!(all[i].is_file || all[i].is_bytes) || (!name && !all[i].is_standard))
			continue;
		int failed = read_file(name ? json_string_value(name) : "-", all[i].is_bytes, &text);
		if (failed)
			return failed;
		json_object_set_new(arguments, all[i].key, text);
	}
	return 0;
}

static json_t *make_request(const struct admin_row *row, json_t *arguments)
{
	json_t *request = json_object();
	json_object_set_new(request, "version", json_integer(ADMIN_VERSION));
	json_object_set_new(request, "command", json_string(row->name));
	json_object_set_new(request, "arguments", arguments);
	return request;
}

/* ---- one command ---- */

static int show(const struct options *o, const json_t *answer)
{
	bool ok = json_is_true(json_object_get(answer, "ok"));
	int code = ok ? 0 : (int)json_integer_value(json_object_get(answer, "exit"));
	if (o->json) {
		json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
		putchar('\n');
	} else if (ok) {
		ctl_print_answer(stdout, json_object_get(answer, "result"), json_object_get(answer, "says"));
	} else {
		const char *error = json_string_value(json_object_get(answer, "error"));
		const char *mend = json_string_value(json_object_get(answer, "mend"));
		ctl_print_answer(stderr, NULL, json_object_get(answer, "says"));
		fputs("rms-connectorctl: ", stderr);
		ctl_print_text(stderr, error ? error : "the node refused without saying why");
		fputc('\n', stderr);
		if (mend && *mend) {
			ctl_print_text(stderr, mend);
			fputc('\n', stderr);
		}
	}
	if (fflush(stdout))
		return EX_IOERR;
	return ok || code > 0 ? code : EX_SOFTWARE;
}

static int run(const struct options *o)
{
	char problem[ADMIN_PROBLEM_BYTES];
	enum admin_command command;
	size_t used;
	if (o->count > 1 && strcmp(o->words[0], "upstream") == 0 && strcmp(o->words[1], "prove") == 0) {
		if (o->help)
			ctl_prove_help();
		return o->help ? 0 : ctl_prove(o->words + 2, o->count - 2, o->config, o->json);
	}
	if (!admin_find(o->words, o->count, &command, &used))
		return unknown_command(o);
	const struct admin_row *row = admin_row(command);
	if (o->help) {
		print_row(row);
		return 0;
	}
	json_t *arguments = admin_arguments_read(row, o->words + used, o->count - used, problem), *answer = NULL;
	if (!arguments) {
		fputs("rms-connectorctl: ", stderr);
		ctl_print_text(stderr, problem);
		fputc('\n', stderr);
		return EX_USAGE;
	}
	int code = put_files(row, arguments);
	char *path = code ? NULL : socket_path(o, &code);
	if (!path) {
		json_decref(arguments);
		return code;
	}
	json_t *request = make_request(row, arguments);
	code = ctl_ask(path, request, &answer);
	if (!code)
		code = show(o, answer);
	json_decref(request);
	json_decref(answer);
	free(path);
	return code;
}

/* Our own options may stand anywhere before "--"; all other words are the command's. */
static int read_options(int argc, char **argv, struct options *o)
{
	bool only_words = false;
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i], **value = NULL;
		if (o->count == WORDS_MAX)
			return usage_error("too many words", NULL);
		if (!only_words && (strcmp(word, "-c") == 0 || strcmp(word, "--config") == 0))
			value = &o->config;
		else if (!only_words && strcmp(word, "--socket") == 0)
			value = &o->socket;
		else if (!only_words && strcmp(word, "--json") == 0)
			o->json = true;
		else if (!only_words && (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0))
			o->help = true;
		else if (!only_words && (strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0))
			o->version = true;
		else
			o->words[o->count++] = word;
		only_words |= strcmp(word, "--") == 0;
		if (!value)
			continue;
		if (i + 1 == argc)
			return usage_error("this option needs a value", word);
		*value = argv[++i];
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = {0};
	int wrong = read_options(argc, argv, &o);
	if (wrong)
		return wrong;
	if (o.version) {
		printf("rms-connectorctl %s\n", RMS_VERSION);
		return 0;
	}
	if (o.count && strcmp(o.words[0], "help") == 0)
		return help_about(&o);
	if (o.count)
		return run(&o);
	if (o.help) {
		print_help();
		return 0;
	}
	return usage_error("which command?", NULL);
}
