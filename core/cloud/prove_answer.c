#include "core/cloud/prove_answer.h"

#include "core/crypto/crypto.h"
#include "proto/soap.h"

#include <stdio.h>
#include <string.h>

static const char *const words[PROVE_OUTCOMES] = {
        [PROVE_NOT_TRIED] = "not_tried",
        [PROVE_GOOD] = "good",
        [PROVE_FAULT] = "fault",
        [PROVE_REFUSED] = "refused",
        [PROVE_REDIRECTED] = "redirected",
        [PROVE_OTHER] = "other",
        [PROVE_LOST] = "lost",
};

const char *prove_outcome_word(enum prove_outcome o)
{
	return words[o];
}

/* ---- texts from outside ---- */

static const struct {
	struct slice entity;
	char is;
} entities[] = {{SLICE("&lt;"), '<'},
                {SLICE("&gt;"), '>'},
                {SLICE("&amp;"), '&'},
                {SLICE("&quot;"), '"'},
                {SLICE("&apos;"), '\''}};

static void put_text(char *out, size_t cap, struct slice text, struct slice secret)
{
	size_t n = 0;
	out[0] = 0;
	if (secret.len && text.len >= secret.len && memmem(text.at, text.len, secret.at, secret.len)) {
		snprintf(out, cap, "(left out: it holds the token)");
		return;
	}
	for (size_t i = 0; i < text.len && n + 1 < cap; i++) {
		char c = text.at[i];
		for (size_t k = 0; c == '&' && k < sizeof(entities) / sizeof(entities[0]); k++)
			if (slice_starts_with(slice_from(text, i), entities[k].entity)) {
				c = entities[k].is;
				i += entities[k].entity.len - 1;
				break;
			}
		c = c >= ' ' && c <= '~' ? c : c == '\n' || c == '\r' || c == '\t' ? ' ' : '?';
		if (n || c != ' ')
			out[n++] = c;
	}
	while (n && out[n - 1] == ' ')
		n--;
	out[n] = 0;
}

/* The characters of the first element of that local name, up to its first child or its end; empty: there is none. */
static struct slice element_text(struct slice body, struct slice name)
{
	while (body.len) {
		const char *at = memmem(body.at, body.len, name.at, name.len);
		if (!at)
			break;
		size_t start = (size_t)(at - body.at), end = start + name.len;
		char before = start ? body.at[start - 1] : 0, after = end < body.len ? body.at[end] : 0;
		body = slice_from(body, end);
		size_t open = slice_find(body, '>');
		if ((before != '<' && before != ':') || (after != '>' && after != ' ') || open == body.len ||
		    (open && body.at[open - 1] == '/'))
			continue;
		body = slice_from(body, open + 1);
		return slice_until(body, slice_find(body, '<'));
	}
	return SLICE("");
}

/* ---- the answer ---- */

static bool is_answer_of(enum rms_op_id op, struct slice child)
{
	struct slice name = rms_ops[op].name;
	return child.len == name.len + 8 && slice_starts_with(child, name) &&
	       slice_equal(slice_from(child, name.len), SLICE("Response"));
}

static enum prove_outcome outcome_of(enum rms_op_id op, const struct http_head *head, struct slice body)
{
	struct slice child;
	enum soap_version soap;
	bool is_soap = soap_content_type(http_head_get(head, HDR_CONTENT_TYPE), &soap) &&
	               soap_first_child(body.at, body.len, true, &child) == SOAP_FOUND;
	if (head->status == 200 && is_soap && is_answer_of(op, child))
		return PROVE_GOOD;
	if (is_soap && slice_equal(child, SLICE("Fault")))
		return PROVE_FAULT;
	return head->status == 401 || head->status == 403  ? PROVE_REFUSED
	       : head->status >= 300 && head->status < 400 ? PROVE_REDIRECTED
	                                                   : PROVE_OTHER;
}

void prove_answer_read(struct prove_answer *out, enum rms_op_id op, const struct http_head *head, struct slice body,
                       struct slice secret)
{
	uint8_t digest[CRYPTO_SHA256_BYTES];
	*out = (struct prove_answer){.outcome = outcome_of(op, head, body), .status = head->status, .bytes = body.len};
	crypto_sha256(body, digest);
	crypto_hex(digest, sizeof(digest), out->sha256);
	if (out->outcome == PROVE_FAULT) {
		struct slice text = element_text(body, SLICE("faultstring")); /* SOAP 1.2 calls it Text */
		put_text(out->fault, sizeof(out->fault), text.len ? text : element_text(body, SLICE("Text")), secret);
	}
	if (out->outcome == PROVE_GOOD && op == OP_CERTIFY) /* the account's certificate is the first */
		put_text(out->until, sizeof(out->until), element_text(body, SLICE("UNTIL")), secret);
	put_text(out->content_type, sizeof(out->content_type), http_head_get(head, HDR_CONTENT_TYPE), secret);
	for (size_t i = 0; i < head->header_count; i++) {
		const struct http_header *h = &head->headers[i];
		if (!out->challenge[0] && slice_equal_nocase(h->name, SLICE("WWW-Authenticate")))
			put_text(out->challenge, sizeof(out->challenge), h->value, secret);
		else if (!out->location[0] &&
		         slice_equal_nocase(h->name, SLICE("Location"))) /* a query may hold a secret */
			put_text(out->location, sizeof(out->location), slice_until(h->value, slice_find(h->value, '?')),
			         secret);
		else if (!out->server[0] && slice_equal_nocase(h->name, SLICE("Server")))
			put_text(out->server, sizeof(out->server), h->value, secret);
	}
}
