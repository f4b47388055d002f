/* Any text in a buffer of any size: one JSON object on one line, valid UTF-8, within its bounds. jansson is the judge. */
#include "core/base/check.h"
#include "core/base/json_line.h"

#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	size_t cap = JSON_LINE_MIN_BYTES + data[0] * 4u, split = size > 2 ? 2 + data[1] % (size - 1) : 2;
	char *buffer = malloc(cap); /* exactly, for the sanitizer */
	struct json_line j;
	json_line_begin(&j, buffer, cap);
	json_line_text(&j, "first", slice_of((const char *)data + 2, split - 2));
	json_line_u64(&j, "number", size * 0x9e3779b97f4a7c15ull >> 1); /* jansson has no unsigned */
	json_line_text(&j, "second", slice_of((const char *)data + split, size - split));
	size_t n = json_line_end(&j);
	CHECK(n <= cap && memchr(buffer, '\n', n) == buffer + n - 1);
	json_t *parsed = json_loadb(buffer, n, JSON_ALLOW_NUL, NULL);
	CHECK(parsed && json_is_object(parsed) && (json_object_get(parsed, "cut") != NULL) == j.cut);
	json_decref(parsed);
	free(buffer);
	return 0;
}
