/* What rms-connector-authd knows and does, without its socket: which keys it has, which tokens it saw, and how a request or an ask is answered. Made by
 * the main thread; authd_answer() runs in the threads of two pools, one for tokens and one for asks. */
#pragma once
#include "core/authd/job.h"
#include "core/authd/keytab.h"
#include "core/authd/replay.h"
#include "core/base/settings.h"

struct authd;

/* One leg of NTLM, bare or in SPNEGO, first or later, in a thread of the token pool; may block. Fills j->reply: DONE, CONTINUE with a conversation
 * number of its own choice, or REFUSED. A conversation belongs to j->connection. */
typedef void ntlm_step(struct authd *a, struct job *j);
/* The node gave up a conversation, or, with number 0, a connection of the node and all its conversations ended. Main thread; must not block. */
typedef void ntlm_cancel(struct authd *a, uint64_t connection, uint64_t conversation);

struct authd {
	const struct settings *settings; /* borrowed */
	struct keytab keytab;
	struct replay replay;
	_Atomic(struct directory *)
	        directory; /* owned; NULL: no realm has one, or none is known before there is a keytab; set once */
	usec_t started_wall;
	_Atomic uint64_t outcomes[AUTHD_REASON_COUNT]; /* of replies; [AUTHD_NONE]: DONE and CONTINUE */
	_Atomic uint64_t asked;
	ntlm_step *ntlm_step; /* NULL: NTLM is refused */
	ntlm_cancel *ntlm_cancel;
	struct ntlm *ntlm; /* owned; NULL: off */
};

/* Reads the keytab; that it cannot be used is no error here, but told and tried again. */
struct err authd_init(struct authd *a, const struct settings *settings);
void authd_done(struct authd *a);
/* Takes a keytab that has changed, and the realms of the first one. Main thread, now and then. */
void authd_look(struct authd *a);
/* enum authd_feature */
uint32_t authd_features(struct authd *a);
/* Fills the job's answer. May block. */
void authd_answer(struct authd *a, struct job *j);
/* For whoever answers by itself, as the server with BUSY. */
void authd_count(struct authd *a, const struct job *j);
/* At the end of a thread that called authd_answer(). */
void authd_thread_end(void);
