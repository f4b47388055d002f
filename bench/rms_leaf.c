#include "bench/rms_leaf.h"

#include "core/crypto/crypto.h"

#include <stdlib.h>

enum { PLACES = 4096 }; /* 4 KB each when used */

struct rms_leaf {
	uint8_t key[CRYPTO_SHA256_BYTES];
	struct text xrml;
};

void rms_leaves_init(struct rms_leaves *l)
{
	*l = (struct rms_leaves){.places = calloc(PLACES, sizeof *l->places)};
	CHECK(l->places);
}

void rms_leaves_done(struct rms_leaves *l)
{
	for (size_t i = 0; l->places && i < PLACES; i++) {
		if (l->places[i])
			text_free(&l->places[i]->xrml);
		free(l->places[i]);
	}
	free(l->places);
	*l = (struct rms_leaves){0};
}

struct text *rms_leaf_get(struct rms_leaves *l, const char *kind, struct slice first, struct slice second)
{
	uint8_t key[CRYPTO_SHA256_BYTES];
	struct crypto_sha256 s;
	uint64_t len = first.len;
	crypto_sha256_start(&s);
	crypto_sha256_add(&s, kind, strlen(kind) + 1);
	crypto_sha256_add(&s, &len, sizeof len);
	crypto_sha256_add(&s, first.at, first.len);
	crypto_sha256_add(&s, second.at, second.len);
	crypto_sha256_end(&s, key);
	struct rms_leaf **place = &l->places[(key[0] | (size_t)key[1] << 8) % PLACES];
	if (!*place) {
		*place = calloc(1, sizeof **place);
		CHECK(*place);
	}
	struct rms_leaf *leaf = *place;
	if (memcmp(leaf->key, key, sizeof key) != 0) {
		memcpy(leaf->key, key, sizeof key);
		text_clear(&leaf->xrml);
	}
	if (leaf->xrml.len)
		l->reused_count++;
	else
		l->signed_count++;
	return &leaf->xrml;
}
