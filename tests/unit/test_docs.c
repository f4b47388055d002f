/* The documents and the example in the tree are what the rows say. RMS_WRITE_DOCS=1 writes them anew instead. */
#include "core/ops/docs.h"
#include "core/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *made(void (*print)(FILE *out), size_t *len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);
	assert_non_null(out);
	print(out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static char *file(const char *path, size_t *len)
{
	static char text[256 * 1024];
	FILE *f = fopen(path, "r");
	*len = f ? fread(text, 1, sizeof(text), f) : 0;
	if (f)
		fclose(f);
	return text;
}

static void documents_agree_with_the_rows(void **state)
{
	static const struct {
		const char *path;
		void (*print)(FILE *out);
	} docs[] = {
	        {SOURCE_DIR "/deploy/rms-connector.yaml", config_print_example},
	        {SOURCE_DIR "/docs/settings.md", config_print_settings_doc},
	        {SOURCE_DIR "/docs/events.md", docs_print_events},
	        {SOURCE_DIR "/docs/metrics.md", docs_print_metrics},
	};
	int stale = 0;
	for (size_t i = 0; i < ARRAY_COUNT(docs); i++) {
		size_t want_len, have_len;
		char *want = made(docs[i].print, &want_len);
		if (getenv("RMS_WRITE_DOCS")) {
			FILE *f = fopen(docs[i].path, "w");
			assert_non_null(f);
			fwrite(want, 1, want_len, f);
			assert_int_equal(fclose(f), 0);
		}
		const char *have = file(docs[i].path, &have_len);
		if (have_len != want_len || memcmp(have, want, want_len)) {
			print_error("%s is not what the rows say now: run RMS_WRITE_DOCS=1 test_docs and commit it\n",
			            docs[i].path);
			stale++;
		}
		free(want);
	}
	assert_int_equal(stale, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(documents_agree_with_the_rows)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
