/* How one connection's caller proves who it is, leg by leg; a part of the connection's owner and used in its thread.
 *
 *   call begins ---> ASK (nothing proven) -- 401 --> [HELLO, NTLM only -- 401 --> ] PROOF -- any answer but 401 --> proven
 *   on a proven connection: PLAIN -- 401 --> as after ASK
 */
#pragma once
#include "bench/load_auth.h"
#include "bench/load_conn.h"
#include "bench/load_image.h"

enum load_leg { LEG_PLAIN, LEG_ASK, LEG_HELLO, LEG_PROOF };
enum load_ready { PROOF_READY, PROOF_WAITS /* for a token: load_tokens_wait() */, PROOF_FAILS /* words in reason */ };

struct load_proof {
	struct load_auth *auth; /* NULL: nobody proves anything */
	enum load_caller caller;
	uint8_t target, leg;
	bool proven;              /* the connection; load_proof_forget() when it ends */
	struct load_token *token; /* Kerberos, for the next proof */
	struct text line;         /* NTLM: the next message as a header */
	struct text hello;        /* NTLM: NEGOTIATE as sent, a part of the last message's MIC */
	char reason[LOAD_REASON_BYTES];
};

void load_proof_init(struct load_proof *p, struct load_auth *auth, enum load_caller caller, size_t target);
void load_proof_done(struct load_proof *p);

/* Before a call: what it needs is at hand. */
enum load_ready load_proof_begin(struct load_proof *p);
/* The same, but waits. false: PROOF_FAILS. */
bool load_proof_begin_waiting(struct load_proof *p);
/* The next leg of a call, made from its image. */
void load_proof_leg(struct load_proof *p, const struct load_image *image, struct load_request *r);
/* Looks at the answer to a leg. true: another leg follows, on this connection or, when it closes, on a new one; the answer's body is still the
 * caller's to free. false: this is the answer to the call; error and reason are set when there was no proof. sample: the service must have proven
 * itself too. counts: NULL when this call is not counted. Takes answer->token. */
bool load_proof_answer(struct load_proof *p, struct load_answer *a, bool will_close, bool sample,
                       struct load_auth_counts *counts);
/* The connection is closed. */
void load_proof_forget(struct load_proof *p);
