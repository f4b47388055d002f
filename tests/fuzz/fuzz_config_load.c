/* Any bytes as a configuration: settings or problems, never both missing, and settings within the ranges of their rows. */
#include "core/ops/config_load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_problems problems;
	struct settings *s = NULL;
	struct err e = config_load_bytes("f", slice_of((const char *)data, size), &s, &problems);
	CHECK((e.code == ERR_NONE) == (s != NULL) && (e.code == ERR_NONE) == (problems.errors == 0));
	for (unsigned id = 0; s && id < SETTING_COUNT; id++) {
		const struct setting_row *row = &setting_rows[id];
		uint32_t value = row->type == SETTING_U32 ? *(uint32_t *)(void *)((char *)s + row->offset) : row->min;
		CHECK(value >= row->min && value <= row->max);
	}
	CHECK(!s || (s->listener_count > 0 && *s->upstream_url));
	config_problems_done(&problems);
	settings_free(s);
	return 0;
}
