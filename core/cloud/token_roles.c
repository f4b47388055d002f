#include "core/cloud/token_roles.h"

#include "core/base/check.h"
#include "core/cloud/token.h"
#include "core/crypto/crypto.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct role {
	const char *name;
	bool exchange, others;
} known[] = {
#define TOKEN_ROLE(name, exchange, others) {name, exchange, others},
#include "core/cloud/token_roles.def"
#undef TOKEN_ROLE
};

/* The claims of a JWT (RFC 7519), whose signature is nothing to us. NULL: it is none. */
static json_t *claims_of(const char *token)
{
	const char *begin = strchr(token, '.'), *end = begin ? strchr(begin + 1, '.') : NULL;
	if (!end || end - begin > TOKEN_BYTES_MAX)
		return NULL;
	size_t n = (size_t)(end - begin) - 1, room = n + 4, len = 0;
	char *text = malloc(room);
	uint8_t *bytes = malloc(room);
	json_t *claims = NULL;
	if (text && bytes) {
		for (size_t i = 0; i < n; i++)
			text[i] = begin[1 + i] == '-' ? '+' : begin[1 + i] == '_' ? '/' : begin[1 + i];
		while (n % 4)
			text[n++] = '=';
		if (crypto_base64_decode(slice_of(text, n), bytes, room, &len))
			claims = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, NULL);
	}
	free(text);
	free(bytes);
	return claims;
}

static bool is_needed(const char *name, bool only_exchange)
{
	for (size_t i = 0; i < ARRAY_COUNT(known); i++)
		if (strcmp(name, known[i].name) == 0)
			return only_exchange ? known[i].exchange : known[i].others;
	return false;
}

void token_excess(const char *token, bool only_exchange, char out[static TOKEN_EXCESS_BYTES])
{
	json_t *claims = claims_of(token);
	const json_t *role;
	size_t i, at = 0;
	out[0] = 0;
	json_array_foreach(json_object_get(claims, "roles"), i, role)
	{
		const char *name = json_string_value(role);
		if (!name || is_needed(name, only_exchange))
			continue;
		at += (size_t)snprintf(out + at, TOKEN_EXCESS_BYTES - at, "%s%.80s", at ? ", " : "", name);
		if (at >= TOKEN_EXCESS_BYTES)
			break;
	}
	for (char *c = out; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	json_decref(claims);
}
