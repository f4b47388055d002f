/* What a token says of itself that it may do. Tokens are opaque to this program: this is for a warning, and nothing else depends on it. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum { TOKEN_EXCESS_BYTES = 400 };

/* out: names of permissions in the token beyond what token_roles.def lists, printable, with commas; "": none, or the token says nothing that can be
 * read. only_exchange: it speaks for callers with the role exchange and no others. */
void token_excess(const char *token, bool only_exchange, char out[static TOKEN_EXCESS_BYTES]);
