#include "core/cloud/token.h"

#include "core/base/check.h"
#include "core/crypto/crypto.h"
#include "core/crypto/signer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { ASSERTION_LIFE_S = 600, EXPIRES_LEAST_S = 5, EXPIRES_MOST_S = 86400, DESCRIPTION_BYTES = 200 };

/* ---- the form ---- */

static bool grow(struct token_form *f, size_t more)
{
	if (f->len + more <= f->cap)
		return true;
	size_t cap = (f->len + more) * 2;
	char *bigger = malloc(cap); /* not realloc(): what is left behind is a secret */
	if (!bigger) {
		f->failed = true;
		return false;
	}
	if (f->text) {
		memcpy(bigger, f->text, f->len);
		explicit_bzero(f->text, f->cap);
		free(f->text);
	}
	f->text = bigger;
	f->cap = cap;
	return true;
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_';
}

void token_form_add(struct token_form *f, const char *name, struct slice value)
{
	size_t name_len = strlen(name);
	if (f->failed || !grow(f, name_len + 2 + 3 * value.len))
		return;
	if (f->len)
		f->text[f->len++] = '&';
	memcpy(f->text + f->len, name, name_len);
	f->len += name_len;
	f->text[f->len++] = '=';
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.at[i];
		if (is_plain(value.at[i])) {
			f->text[f->len++] = value.at[i];
			continue;
		}
		f->text[f->len++] = '%';
		f->text[f->len++] = "0123456789ABCDEF"[c >> 4];
		f->text[f->len++] = "0123456789ABCDEF"[c & 15];
	}
}

void token_form_done(struct token_form *f)
{
	if (f->text)
		explicit_bzero(f->text, f->cap);
	free(f->text);
	*f = (struct token_form){0};
}

/* ---- the assertion ---- */

/* base64url without padding (RFC 7515 2), in place of base64. Returns the new length. */
static size_t to_url_form(char *text, size_t n)
{
	while (n && text[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++)
		text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
	text[n] = 0;
	return n;
}

static char *encode_json(json_t *object)
{
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (!text)
		return NULL;
	size_t n = strlen(text);
	char *out = malloc(crypto_base64_len(n) + 1);
	if (out)
		to_url_form(out, crypto_base64_encode(text, n, out));
	free(text);
	return out;
}

char *token_assertion_make(const struct token_assertion *a)
{
	char thumbprint[(CRYPTO_SHA256_BYTES + 2) / 3 * 4 + 1];
	char *jwt = NULL;
	to_url_form(thumbprint,
	            crypto_base64_encode(crypto_signer_thumbprint(a->signer), CRYPTO_SHA256_BYTES, thumbprint));
	char *head = encode_json(json_pack("{s:s, s:s, s:s}", "alg", "PS256", "typ", "JWT", "x5t#S256", thumbprint));
	char *claims =
	        encode_json(json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "aud", a->audience, "iss", a->client_id,
	                              "sub", a->client_id, "jti", a->id, "nbf", (json_int_t)a->now_s, "iat",
	                              (json_int_t)a->now_s, "exp", (json_int_t)(a->now_s + ASSERTION_LIFE_S)));
	size_t cap = head && claims ? strlen(head) + strlen(claims) + crypto_base64_len(CRYPTO_SIGNATURE_MAX) + 4 : 0;
	jwt = cap ? malloc(cap) : NULL;
	if (jwt) {
		uint8_t signature[CRYPTO_SIGNATURE_MAX];
		size_t n = (size_t)snprintf(jwt, cap, "%s.%s", head, claims);
		size_t signed_len = crypto_signer_sign_ps256(a->signer, slice_of(jwt, n), signature);
		jwt[n] = '.';
		to_url_form(jwt + n + 1, crypto_base64_encode(signature, signed_len, jwt + n + 1));
		if (!signed_len) {
			free(jwt);
			jwt = NULL;
		}
	}
	free(head);
	free(claims);
	return jwt;
}

/* ---- the answer ---- */

static const struct aadsts {
	uint32_t code;
	enum token_outcome outcome;
	const char *meaning, *mend;
} codes[] = {
#define AADSTS(code, outcome, meaning, mend) {code, TOKEN_##outcome, meaning, mend},
#include "core/cloud/aadsts.def"
#undef AADSTS
};

/* Text from outside, for a log line: printable ASCII only, cut at the first end of line. */
static void clean(char *out, size_t cap, const char *text)
{
	size_t n = 0;
	for (; *text && *text != '\r' && *text != '\n' && n + 1 < cap; text++)
		out[n++] = *text >= ' ' && *text < 127 ? *text : '?';
	out[n] = 0;
}

/* "AADSTS7000215: Invalid client secret ..." and, where that is missing, error_codes[0]. */
static uint32_t code_of(const json_t *root, const char *description)
{
	static const char mark[] = "AADSTS";
	if (strncmp(description, mark, sizeof(mark) - 1) == 0) {
		char *end;
		unsigned long code = strtoul(description + sizeof(mark) - 1, &end, 10);
		if (end != description + sizeof(mark) - 1 && code < 100000000)
			return (uint32_t)code;
	}
	json_int_t code = json_integer_value(json_array_get(json_object_get(root, "error_codes"), 0));
	return code > 0 && code < 100000000 ? (uint32_t)code : 0;
}

static void read_error(struct token_answer *out, unsigned status, const json_t *root)
{
	const char *error = json_string_value(json_object_get(root, "error"));
	const char *description = json_string_value(json_object_get(root, "error_description"));
	char said[DESCRIPTION_BYTES], word[64];
	clean(word, sizeof(word), error ? error : "no error is named");
	clean(said, sizeof(said), description ? description : "");
	out->code = code_of(root, description ? description : "");
	for (size_t i = 0; i < ARRAY_COUNT(codes); i++)
		if (out->code == codes[i].code) {
			out->outcome = codes[i].outcome;
			snprintf(out->advice, sizeof(out->advice), "AADSTS%u: %s. %s. (HTTP %u, %s)", out->code,
			         codes[i].meaning, codes[i].mend, status, said);
			return;
		}
	/* 429 and 5xx pass by themselves; another refusal would be the same the next time. */
	out->outcome = status == 429 || status >= 500 || status < 400 ? TOKEN_WAIT : TOKEN_FATAL;
	snprintf(out->advice, sizeof(out->advice), "the login service answered HTTP %u, %s%s%s", status, word,
	         *said ? ": " : "", said);
}

/* It goes into a header line. */
static bool is_token(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return n > 0 && n <= TOKEN_BYTES_MAX;
}

static bool read_token(struct token_answer *out, const json_t *root)
{
	const json_t *token = json_object_get(root, "access_token"), *expires = json_object_get(root, "expires_in");
	const char *type = json_string_value(json_object_get(root, "token_type"));
	/* The v1 endpoint writes numbers as strings. */
	json_int_t seconds =
	        json_is_string(expires) ? strtoll(json_string_value(expires), NULL, 10) : json_integer_value(expires);
	if (!json_is_string(token) || !is_token(json_string_value(token), json_string_length(token)) || !type ||
	    strcasecmp(type, "Bearer") != 0 || seconds < EXPIRES_LEAST_S)
		return false;
	out->token = strndup(json_string_value(token), json_string_length(token));
	out->expires_in_s = (uint32_t)(seconds < EXPIRES_MOST_S ? seconds : EXPIRES_MOST_S);
	return out->token != NULL;
}

void token_answer_read(struct token_answer *out, unsigned status, struct slice body)
{
	*out = (struct token_answer){.outcome = TOKEN_WAIT};
	json_t *root = json_loadb(body.at, body.len, JSON_REJECT_DUPLICATES, NULL);
	if (status == 200 && json_is_object(root) && read_token(out, root))
		out->outcome = TOKEN_GOOD;
	else if (status == 200)
		snprintf(out->advice, sizeof(out->advice),
		         "what answered is no login service: HTTP 200 without a token of the type Bearer. Compare "
		         "login_url "
		         "with the cloud; does a proxy answer in its place?");
	else
		read_error(out, status, root);
	json_decref(root);
}

void token_answer_done(struct token_answer *a)
{
	if (a->token)
		explicit_bzero(a->token, strlen(a->token));
	free(a->token);
	a->token = NULL;
}
