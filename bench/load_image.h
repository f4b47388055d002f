/* Requests made once, whole, and then only sent: head and body in one piece of memory for each (node, caller, operation, size). A worker has its own,
 * because each request gets a fresh serial written over the last (load_conn.c, when it is sent). */
#pragma once
#include "bench/load_plan.h"
#include "bench/rms_message.h"

struct load_expected {     /* what the answer must repeat: it shows that an answer belongs to its request */
	char account[128]; /* of the caller's certificate; empty: none in the request */
	char work[64];     /* of the document's licence */
};

struct load_image {
	char *bytes;
	size_t len, head_len;
	size_t serial_at; /* 16 hex digits in bytes; SIZE_MAX: none */
	char *empty; /* the same without a body, for a leg that proves nothing yet; NULL when nobody authenticates */
	size_t empty_len;
	size_t items; /* licences, recipients, templates asked for; 0: not a batch */
	struct load_expected expected;
};

struct load_image_set {
	struct load_image sizes[LOAD_SIZES_MAX];
	uint8_t count, next;
};

struct load_images {
	struct load_image_set sets[LOAD_TARGETS_MAX][CALLER_COUNT][OP_COUNT];
};

/* Who calls: certificates and keys of each kind of caller. Made once, read by all. */
struct load_callers {
	struct crypto_key *key;
	struct rms_caller *of[CALLER_COUNT];
};
struct err load_callers_make(struct load_callers *c);
void load_callers_done(struct load_callers *c);

/* Appends a request's head, and its body framed as the options say. body.at NULL: no body at all. */
void load_image_write(struct text *out, size_t *head_len, const struct load_options *o, const struct load_target *to,
                      enum load_caller caller, enum rms_op_id op, unsigned path, struct slice body);
/* body: of a request. */
void load_expected_read(struct load_expected *e, struct slice body);
/* NULL: the answer is for that account and that document, or the operation repeats neither. */
const char *load_expected_check(const struct load_expected *e, enum rms_op_id op, struct slice answer);

/* Everything the profile sends. false: words. Free with load_images_free() in any case. */
bool load_images_add(struct load_images *images, const struct load_options *o, const struct load_callers *callers,
                     const struct load_profile *p, char *words, size_t cap);
void load_images_free(struct load_images *images);
/* The next size of that kind. */
struct load_image *load_images_next(struct load_images *images, size_t target, enum load_caller caller,
                                    enum rms_op_id op);
