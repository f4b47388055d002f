/* Who callers proved to be. Interned: connections that proved the same with the same ticket share one, and the decision about it. Owned by a worker's
 * relay, its thread only. Some that no connection uses are kept a while, for callers that make a connection for each request.
 *
 * until: the ticket's end, or auth.max_age_s from the proof (rounded down, so that many connections share one), whichever comes first. */
#pragma once
#include "core/base/clock.h"
#include "core/base/list.h"
#include "core/base/metrics.h"
#include "core/relay/rate.h"
#include "proto/authd_msg.h"
#include "store/authlist.h"

enum { PRINCIPAL_BUCKETS = 256, PRINCIPALS_UNUSED_MAX = 256 };

struct account;
struct upstream;

struct principal {
	struct list in_bucket, unused; /* unused: when refs is 0 */
	uint32_t refs, hash;
	enum authd_mechanism how;
	char *account;   /* "CORP\exch01$"; a principal's name where there is no directory */
	char *principal; /* "exch01$@CORP.EXAMPLE.COM"; empty with NTLM */
	struct sid sid;  /* none in a realm without directory */
	struct sid_set groups;
	uint64_t until_s; /* since 1970 */
	msec_t until;     /* the same by the loop's clock */
	/* What the list says about it: good while list_serial is the relay's, and looked at again at look_again. */
	struct decision decision;
	uint32_t list_serial; /* 0: not decided yet */
	msec_t look_again;
	uint64_t decision_id; /* of its record (store/decisions.h); 0: none */
	msec_t record_until;  /* then the same decision is recorded anew */
	struct rate_caller rate;
	struct upstream *up;  /* of YES: by whose credential it speaks to the cloud; NULL: there is none for it */
	struct account *seen; /* accounts.h; set at the first decision, NULL: not kept there */
	char sid_text[SID_TEXT_BYTES];
};

struct principals {
	struct list buckets[PRINCIPAL_BUCKETS];
	struct list unused; /* longest unused first */
	uint32_t count, unused_count;
	struct metric_block *metrics;
};

void principals_open(struct principals *all, struct metric_block *metrics);
/* After the last was given back. */
void principals_close(struct principals *all);

/* A reference, from a DONE reply. now: of the loop; wall_s: since 1970. NULL: no memory. */
struct principal *principal_intern(struct principals *all, const struct authd_reply *reply, uint32_t max_age_s,
                                   msec_t now, uint64_t wall_s);
void principal_ref(struct principals *all, struct principal *p);
void principal_unref(struct principals *all, struct principal *p); /* NULL is fine */
/* The same account, whichever ticket proved it. */
uint32_t principal_account_hash(const struct principal *p);
