/* Errors by value. Libraries return them; the file that knows the request logs them, once. Rows in errors.def.
 * what: a literal, or bytes that outlive the error's use, in an administrator's words; sys: errno, a uv code, a TLS or LMDB number. */
#pragma once
#include <stdint.h>

enum err_code {
#define ERR(name, status, effect, flags, text) ERR_##name,
#include "core/base/errors.def"
#undef ERR
	ERR_COUNT
};

enum err_effect { EFFECT_OK, EFFECT_DEFERRED, EFFECT_FINAL, EFFECT_COUNT };
enum err_flag { ERR_FLAG_RETRY = 1, ERR_FLAG_CLOSE = 2, ERR_FLAG_FAULT = 4 };

struct [[nodiscard]] err {
	enum err_code code;
	int sys;
	const char *what;
};

struct err_row {
	const char *name; /* "HEAD_MALFORMED" */
	uint16_t status;
	uint8_t effect, flags;
	const char *text;
};

const struct err_row *err_row(enum err_code code);

#define OK                ((struct err){0})
#define ERR_OF(name, ...) ((struct err){.code = ERR_##name __VA_OPT__(, ) __VA_ARGS__})
#define TRY(expression)                         \
	do {                                    \
		struct err err_ = (expression); \
		if (err_.code)                  \
			return err_;            \
	} while (0)

/* The error's own words if it has any, else the row's. */
const char *err_text(struct err e);
