/* Looks at sampled answers in a thread of its own, so that an RSA check does not delay the answers that are being measured. When the queue is full
 * the worker looks for itself: nothing that was sampled is left out. */
#pragma once
#include "bench/load_image.h"
#include "bench/load_stats.h"

struct load_verifier;

struct load_sample {
	char *body; /* malloc'ed, taken */
	size_t len;
	enum load_caller caller;
	enum rms_op_id op;
	const struct load_image *image; /* of the request; borrowed */
};

/* slc: the tenant's key, from a bootstrap; NULL: not known, then each signature is checked with the key its issuer names. */
struct err load_verifier_new(const struct load_options *o, const struct crypto_key *slc, struct load_verifier **out);
/* Any thread. */
void load_verifier_take(struct load_verifier *v, const struct load_sample *s);
/* Ends the thread when all is looked at; adds what it found. */
void load_verifier_free(struct load_verifier *v, struct load_verified *into);
