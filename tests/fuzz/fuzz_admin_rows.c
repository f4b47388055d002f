/* Any bytes as a request of administration: what is accepted has all that its row asks for, and nothing else; what is refused says why. */
#include "core/ops/admin_rows.h"
#include "core/base/check.h"

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	char problem[ADMIN_PROBLEM_BYTES] = "";
	enum admin_command command = ADMIN_COMMAND_COUNT;
	json_t *arguments = admin_request_read(slice_of(bytes, n), &command, problem);
	struct admin_argument all[ADMIN_ARGUMENTS_MAX];
	if (!arguments) {
		CHECK(*problem);
		return 0;
	}
	CHECK(command < ADMIN_COMMAND_COUNT);
	size_t known = 0, count = admin_arguments(admin_row(command)->usage, all);
	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_object_get(arguments, all[i].key);
		CHECK(value || !all[i].required);
		CHECK(!value || (all[i].has_value ? json_string_length(value) > 0 : json_is_true(value)));
		known += value != NULL;
	}
	CHECK(known == json_object_size(arguments));
	json_decref(arguments);
	return 0;
}
