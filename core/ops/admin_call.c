#include "core/ops/admin_call.h"
#include "core/base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *admin_text(const struct admin_call *c, const char *key)
{
	return json_string_value(json_object_get(c->arguments, key));
}

bool admin_flag(const struct admin_call *c, const char *key)
{
	return json_is_true(json_object_get(c->arguments, key));
}

bool admin_number(struct admin_call *c, const char *key, uint32_t absent, uint32_t min, uint32_t max, uint32_t *out)
{
	const char *text = admin_text(c, key);
	uint64_t value = 0;
	size_t n = text ? strspn(text, "0123456789") : 0;
	*out = absent;
	if (!text)
		return true;
	if (n && n <= 10 && text[n] == 0)
		value = strtoull(text, NULL, 10);
	if (value < min || value > max || !n || text[n]) {
		admin_fail(c, EX_USAGE, "", "%s must be a whole number from %u to %u, and is %.40s", key, min, max,
		           text);
		return false;
	}
	*out = (uint32_t)value;
	return true;
}

void admin_say(struct admin_call *c, const char *format, ...)
{
	char text[2048];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	json_array_append_new(c->says, admin_string(text));
}

json_t *admin_string(const char *text)
{
	if (!text)
		return json_null();
	size_t n = strlen(text), good = 0;
	while (good < n) {
		uint32_t code;
		size_t step = utf8_sequence((const unsigned char *)text + good, n - good, &code);
		if (step == 0)
			break;
		good += step;
	}
	return json_stringn(text, good);
}

json_t *admin_time(int64_t seconds)
{
	char text[25];
	if (seconds <= 0)
		return json_null();
	clock_format((usec_t)seconds * 1000000, text);
	memcpy(text + 19, "Z", 2); /* whole seconds, as the list writes them */
	return json_string(text);
}
