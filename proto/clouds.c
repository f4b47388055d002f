#include "proto/clouds.h"

#include "core/base/check.h"

static const struct cloud clouds[] = {
#define CLOUD(...) {__VA_ARGS__},
#include "proto/clouds.def"
#undef CLOUD
};

static const char names[] = ""
#define CLOUD(name, ...) name ", "
#include "proto/clouds.def"
#undef CLOUD
        ;

const struct cloud *cloud_find(struct slice name)
{
	for (size_t i = 0; i < ARRAY_COUNT(clouds); i++)
		if (slice_equal_nocase(name, slice_str(clouds[i].name)))
			return &clouds[i];
	return NULL;
}

const char *cloud_names(void)
{
	static _Thread_local char without_end[sizeof(names)];
	memcpy(without_end, names, sizeof(names) - 3);
	without_end[sizeof(names) - 3] = 0;
	return without_end;
}
