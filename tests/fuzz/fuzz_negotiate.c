/* An Authorization value, and the same bytes as a bare token: what comes out lies inside what went in. */
#include "core/base/check.h"
#include "proto/base64.h"
#include "proto/negotiate.h"
#include "proto/spnego.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	struct negotiate_offer offer;
	struct spnego inside;
	char *room = malloc(n + 1);
	if (!negotiate_read(slice_of(bytes, n), room, &offer) && offer.token.len)
		CHECK(offer.scheme != SCHEME_OTHER && offer.kind != TOKEN_NONE && offer.token.len <= n / 4 * 3);
	if (!spnego_read(slice_of(bytes, n), &inside) && inside.token.len)
		CHECK(inside.token.at > bytes && inside.token.at + inside.token.len <= bytes + n);
	spnego_mech_of(slice_of(bytes, n));
	free(room);
	return 0;
}
