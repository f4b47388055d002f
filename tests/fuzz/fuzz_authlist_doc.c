/* A list that is taken is written in one way, and that is read as the same list. */
#include "core/base/check.h"
#include "proto/authlist_doc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	struct authlist_rows rows = {0}, again = {0};
	char problem[AUTHLIST_DOC_PROBLEM_BYTES];
	size_t len, len_again;
	if (authlist_doc_read(slice_of(bytes, n), &rows, problem).code) {
		CHECK(problem[0] && !rows.entries);
		return 0;
	}
	char *text = authlist_doc_write(&rows, &len);
	CHECK(text && !authlist_doc_read(slice_of(text, len), &again, problem).code);
	char *text_again = authlist_doc_write(&again, &len_again);
	CHECK(text_again && len == len_again && memcmp(text, text_again, len) == 0);
	CHECK(rows.entry_count == again.entry_count && rows.denial_count == again.denial_count);
	authlist_rows_done(&rows);
	authlist_rows_done(&again);
	free(text);
	free(text_again);
	return 0;
}
