/* What the tests of the configuration share: a text or a file is loaded, and what was told about it is looked through. Included by one program once. */
#pragma once
#include "core/ops/config_load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Four lines that are right; what a case adds begins on line 5. */
#define GOOD "listeners:\n  - address: 0.0.0.0:8080\nupstream:\n  url: https://a.rms.na.aadrm.com\n"

static struct config_problems problems;

static struct settings *load_text(struct slice text)
{
	struct settings *s = NULL;
	config_problems_done(&problems);
	struct err e = config_load_bytes("f", text, &s, &problems);
	assert_int_equal(e.code == ERR_NONE, s != NULL);
	assert_int_equal(e.code == ERR_NONE, problems.errors == 0);
	if (e.code)
		assert_int_equal(e.code, ERR_SETTINGS);
	return s;
}

static struct settings *load(const char *text)
{
	return load_text(slice_str(text));
}

/* Whether a problem begins with "f:PLACE: " and contains words. */
static bool told(const char *place, const char *words)
{
	char begin[32];
	int n = snprintf(begin, sizeof(begin), "f:%s: ", place);
	for (size_t i = 0; i < problems.count; i++)
		if (strncmp(problems.list[i].text, begin, (size_t)n) == 0 && strstr(problems.list[i].text + n, words))
			return true;
	return false;
}

/* ---- files ---- */

static char directory[] = "/tmp/test_config.XXXXXX";

static void in_directory(char out[static 256], const char *name)
{
	snprintf(out, 256, "%s/%s", directory, name);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	char path[256];
	in_directory(path, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	chmod(path, mode);
}

static struct err load_file(const char *name, struct settings **out)
{
	static char path[256];
	in_directory(path, name);
	*out = NULL;
	config_problems_done(&problems);
	return config_load(path, out, &problems);
}

static bool said(const char *words)
{
	for (size_t i = 0; i < problems.count; i++)
		if (strstr(problems.list[i].text, words))
			return true;
	config_problems_print(&problems, stderr);
	return false;
}

static int make_directory(void **state)
{
	return mkdtemp(directory) ? 0 : -1;
}

/* names: the files that the cases left there; NULL at the end. */
static int remove_directory(const char *const *names)
{
	char path[256];
	for (; *names; names++) {
		in_directory(path, *names);
		unlink(path);
	}
	config_problems_done(&problems);
	return rmdir(directory);
}
