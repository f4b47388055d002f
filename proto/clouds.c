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

const struct cloud *cloud_of_host(const char *host)
{
	size_t n = strlen(host);
	for (size_t i = 0; i < ARRAY_COUNT(clouds); i++) {
		size_t k = strlen(clouds[i].suffix);
		if (k && n > k && host[n - k - 1] == '.' && strcasecmp(host + n - k, clouds[i].suffix) == 0)
			return &clouds[i];
	}
	return NULL;
}

bool cloud_host_is_tenant(const struct cloud *c, const char *host)
{
	struct slice name = slice_until(slice_str(host), strlen(host) - strlen(c->suffix)); /* "GUID.rms.eu." */
	size_t dot = slice_find(name, '.');
	struct slice behind = slice_from(name, dot);
	return dot > 0 && behind.len >= 5 && strncasecmp(behind.at, ".rms.", 5) == 0;
}

const struct cloud *cloud_of_login(const char *host)
{
	for (size_t i = 0; i < ARRAY_COUNT(clouds); i++)
		if (*clouds[i].login && strcasecmp(clouds[i].login, host) == 0)
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
