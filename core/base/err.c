#include "core/base/err.h"

#define RETRY ERR_FLAG_RETRY
#define CLOSE ERR_FLAG_CLOSE
#define FAULT ERR_FLAG_FAULT

static const struct err_row rows[ERR_COUNT] = {
#define ERR(name, status, effect, flags, text) {#name, status, EFFECT_##effect, flags, text},
#include "core/base/errors.def"
#undef ERR
};

const struct err_row *err_row(enum err_code code)
{
	return &rows[code < ERR_COUNT ? code : ERR_INTERNAL];
}

const char *err_text(struct err e)
{
	return e.what ? e.what : err_row(e.code)->text;
}
