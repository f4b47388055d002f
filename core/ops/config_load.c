#include "core/ops/config_load.h"
#include "core/base/address_list.h"
#include "core/ops/config_load_credentials.h"
#include "core/ops/config_load_listeners.h"
#include "core/ops/config_load_realms.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*   bytes --reader_look_at_bytes--> libyaml --reader_next--> settings + places --config_check--> settings */

/* ---- lists ---- */

static void read_allowed(struct reader *r, void *context)
{
	struct settings *s = r->settings;
	if (!reader_expect_scalar(r, "an entry of stats.allow"))
		return;
	if (s->stats_allow_count == CONFIG_ALLOW_MAX) {
		config_problem(r->problems, reader_place(r), "stats.allow has more than %d entries: use prefixes",
		               CONFIG_ALLOW_MAX);
		r->stopped = true;
		return;
	}
	char *text = strndup(reader_scalar(r).at, reader_scalar(r).len);
	char **more = realloc(s->stats_allow, (s->stats_allow_count + 1) * sizeof(*more));
	if (more)
		s->stats_allow = more;
	struct address_prefix prefix;
	const char *wrong =
	        text && strlen(text) == reader_scalar(r).len ? address_prefix_parse(text, &prefix) : "an address";
	if (!text || !more) {
		reader_no_memory(r);
	} else if (wrong) {
		config_problem(r->problems, reader_place(r), "an entry of stats.allow must be %s", wrong);
	} else {
		r->places.allow[s->stats_allow_count] = reader_place(r);
		more[s->stats_allow_count++] = text;
		return;
	}
	free(text);
}

/* ---- sections and the whole ---- */

static void section_member(struct reader *r, const struct key *key, void *context)
{
	const char *section = context, *elsewhere = NULL, *names[SETTING_COUNT + 2];
	size_t n = 0;
	for (unsigned id = 0; id < SETTING_COUNT; id++) {
		bool ours = strcmp(setting_rows[id].section, section) == 0;
		bool same = strcmp(setting_rows[id].name, key->text) == 0;
		if (ours && same) {
			reader_row(r, id, key->at);
			return;
		}
		if (ours)
			names[n++] = setting_rows[id].name;
		else if (same && !elsewhere)
			elsewhere = setting_rows[id].section;
	}
	if (strcmp(section, "stats") == 0) {
		if (strcmp(key->text, "allow") == 0) {
			reader_list(r, key, "stats.allow", &r->places.stats_allow, read_allowed, NULL,
			            "allow: [10.0.0.0/8]");
			return;
		}
		names[n++] = "allow";
	}
	names[n] = NULL;
	char where[80];
	snprintf(where, sizeof(where), "in section %s", section);
	if (elsewhere) {
		config_problem(r->problems, key->at,
		               "%s belongs to section %s, not to %s: move it below %s:", key->text, elsewhere, section,
		               elsewhere);
		reader_skip(r);
	} else {
		reader_unknown(r, key, where, names);
	}
}

static void read_section(struct reader *r, const struct key *key, const char *section, struct config_place *seen)
{
	if (seen->line) {
		config_problem(r->problems, key->at, "section %s is given twice: first on line %u. Put both together",
		               section, seen->line);
		reader_skip(r);
		return;
	}
	*seen = key->at;
	if (strcmp(section, "upstream") == 0)
		r->places.upstream = key->at;
	if (r->event.type == YAML_MAPPING_START_EVENT) {
		char name[KEY_BYTES];
		snprintf(name, sizeof(name), "%s", section);
		reader_each_member(r, section_member, name);
	} else if (!reader_is_nothing(r)) {
		config_problem(r->problems, reader_place(r),
		               "%s is a section, and this is %s: write its settings below it, indented, as NAME: VALUE",
		               section, reader_shape(r));
		reader_skip(r);
	}
}

/* connections: 5 or limits.connections: 5 at the top */
static bool tell_misplaced(struct reader *r, const struct key *key)
{
	for (unsigned id = 0; id < SETTING_COUNT; id++) {
		const struct setting_row *row = &setting_rows[id];
		if (strcmp(row->name, key->text) && strcmp(name_of(row->section, row->name).text, key->text))
			continue;
		config_problem(r->problems, key->at, "%s belongs to section %s: write it as %s: below %s:, indented",
		               key->text, row->section, row->name, row->section);
		reader_skip(r);
		return true;
	}
	return false;
}

static void top_member(struct reader *r, const struct key *key, void *context)
{
	const char *names[SETTING_COUNT + 4], *last = "";
	size_t n = 0;
	names[n++] = "listeners";
	if (strcmp(key->text, "listeners") == 0) {
		reader_listeners(r, key);
		return;
	}
	names[n++] = "realms";
	if (strcmp(key->text, "realms") == 0) {
		reader_realms(r, key);
		return;
	}
	names[n++] = "credentials";
	if (strcmp(key->text, "credentials") == 0) {
		reader_credentials(r, key);
		return;
	}
	for (unsigned id = 0; id < SETTING_COUNT; id++) {
		const char *section = setting_rows[id].section;
		if (strcmp(section, last) == 0)
			continue;
		names[n++] = last = section;
		if (strcmp(section, key->text) == 0) {
			read_section(r, key, section, &r->sections[id]);
			return;
		}
	}
	names[n] = NULL;
	if (!tell_misplaced(r, key))
		reader_unknown(r, key, "at the top of the file", names);
}

static void read_document(struct reader *r)
{
	reader_next(r); /* stream start */
	if (reader_next(r) == YAML_STREAM_END_EVENT) {
		reader_stop(r, "the file is empty: begin with what rms-connectord --print-example-config prints");
	} else if (reader_next(r) == YAML_MAPPING_START_EVENT) {
		reader_each_member(r, top_member, NULL);
		reader_next(r); /* document end */
		if (reader_next(r) != YAML_STREAM_END_EVENT && !r->stopped)
			reader_stop(r, "a second document begins here (---); only one is read");
	} else if (!r->stopped) {
		config_problem(r->problems, reader_place(r),
		               "the file must consist of sections such as upstream: and listeners:, and "
		               "this is %s. Is it the right file?",
		               reader_shape(r));
		r->stopped = true;
	}
}

static struct err finish(struct reader *r, struct settings **out)
{
	config_problems_sort(r->problems);
	if (r->no_memory || r->problems->errors) {
		settings_free(r->settings);
		return r->no_memory ? ERR_OF(NO_MEMORY) : ERR_OF(SETTINGS, .what = "the configuration is wrong");
	}
	*out = r->settings;
	return OK;
}

static struct err load(struct slice bytes, struct settings **out, struct config_problems *problems,
                       const enum config_reader *program)
{
	if (slice_starts_with(bytes, SLICE("\xef\xbb\xbf"))) /* a byte order mark would count as a column */
		bytes = slice_from(bytes, 3);
	if (!reader_look_at_bytes(bytes, problems))
		return ERR_OF(SETTINGS, .what = "the configuration is wrong");
	struct reader r = {.problems = problems, .settings = settings_new()};
	if (!r.settings || !yaml_parser_initialize(&r.parser)) {
		settings_free(r.settings);
		return ERR_OF(NO_MEMORY);
	}
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)bytes.at, bytes.len);
	read_document(&r);
	yaml_event_delete(&r.event);
	yaml_parser_delete(&r.parser);
	if (!r.stopped)
		config_check(r.settings, &r.places, problems);
	if (!r.stopped && program)
		config_check_files(r.settings, *program, &r.places, problems);
	return finish(&r, out);
}

struct err config_load_bytes(const char *name, struct slice bytes, struct settings **out,
                             struct config_problems *problems)
{
	*problems = (struct config_problems){.file = name};
	return load(bytes, out, problems, NULL);
}

/* ---- the file ---- */

static struct err refuse_file(struct config_problems *p, int error, const char *why)
{
	config_problem(p, (struct config_place){0}, "%s", why);
	return ERR_OF(FILE, .sys = error, .what = "the configuration file cannot be used");
}

static struct err refuse_open(struct config_problems *p, int error)
{
	char why[256];
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return refuse_file(p, error,
		                   "there is no such file. Name yours with -c FILE, or begin with the example: "
		                   "rms-connectord --print-example-config");
	case EACCES:
		snprintf(why, sizeof(why),
		         "the user this runs as (uid %u) may not read it: give its group read access to the file and "
		         "its directories",
		         (unsigned)geteuid());
		return refuse_file(p, error, why);
	default:
		snprintf(why, sizeof(why), "it cannot be opened: %s", strerror(error));
		return refuse_file(p, error, why);
	}
}

/* At most one byte more than is allowed, so that too large shows. */
static struct err read_file(int fd, char *bytes, size_t *len, struct config_problems *p)
{
	*len = 0;
	while (*len <= CONFIG_FILE_BYTES) {
		ssize_t n = read(fd, bytes + *len, CONFIG_FILE_BYTES + 1 - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			char why[256];
			int error = errno;
			snprintf(why, sizeof(why), "it cannot be read: %s", strerror(error));
			return refuse_file(p, error, why);
		}
		if (n == 0)
			break;
		*len += (size_t)n;
	}
	return OK;
}

static struct err load_file(int fd, char *bytes, enum config_reader program, struct settings **out,
                            struct config_problems *problems)
{
	struct stat st;
	size_t len;
	if (fstat(fd, &st))
		return refuse_open(problems, errno);
	if (S_ISDIR(st.st_mode))
		return refuse_file(problems, EISDIR, "it is a directory: name the file in it");
	if (!S_ISREG(st.st_mode))
		return refuse_file(problems, EINVAL, "it is not an ordinary file");
	if (st.st_mode & S_IWOTH)
		config_warning(problems, (struct config_place){0}, "everybody may change this file: chmod o-w it");
	TRY(read_file(fd, bytes, &len, problems));
	return load(slice_of(bytes, len), out, problems, &program);
}

struct err config_load(const char *path, struct settings **out, struct config_problems *problems)
{
	return config_load_for(CONFIG_NODE, path, out, problems);
}

struct err config_load_for(enum config_reader program, const char *path, struct settings **out,
                           struct config_problems *problems)
{
	*problems = (struct config_problems){.file = path};
	/* O_NONBLOCK: a FIFO must not make us wait for a writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return refuse_open(problems, errno);
	char *bytes = malloc(CONFIG_FILE_BYTES + 1);
	struct err e = bytes ? load_file(fd, bytes, program, out, problems) : ERR_OF(NO_MEMORY);
	free(bytes);
	close(fd);
	return e;
}
