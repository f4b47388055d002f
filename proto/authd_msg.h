/* What the node and rms-connector-authd say to each other over a Unix stream socket: u32 length of the rest, u16 type, u16 zero, then the fields,
 * all little-endian. Both sides first send HELLO (authd another one whenever its features change); then requests and their replies, asks and what is told, in any order, matched by id. Pure: bytes to
 * structs and back, strict and bounded; a message that breaks a rule ends the connection. Slices borrow from the bytes that were read. Any thread. */
#pragma once
#include "core/base/sid.h"

enum {
	AUTHD_VERSION = 1,
	AUTHD_TOKEN_BYTES = 64 * 1024, /* a Kerberos token of Windows is at most 48,000 */
	AUTHD_BINDING_BYTES = 128,     /* "tls-server-end-point:" and a hash */
	AUTHD_NAME_BYTES = 1024,       /* account, principal */
	AUTHD_DETAIL_BYTES = 512,
	AUTHD_REQUEST_BYTES =
	        8 + 40 + AUTHD_BINDING_BYTES + AUTHD_TOKEN_BYTES, /* the longest message to authd, with its length */
	AUTHD_REPLY_BYTES = 8 + 64 + AUTHD_TOKEN_BYTES + 2 * AUTHD_NAME_BYTES + AUTHD_DETAIL_BYTES + SID_BYTES_MAX +
	                    SID_SET_MAX * SID_BYTES_MAX, /* the longest message about a caller from it */
	AUTHD_JSON_BYTES = 8 * 1024 * 1024,
	AUTHD_MSG_BYTES = 8 + 12 + AUTHD_JSON_BYTES, /* the longest of all */
};

enum authd_type {
	AUTHD_HELLO = 1,
	AUTHD_REQUEST = 2,
	AUTHD_REPLY = 3,
	AUTHD_CANCEL = 4,
	AUTHD_ASK = 5,
	AUTHD_TOLD = 6
};
enum authd_feature { AUTHD_CAN_KERBEROS = 1, AUTHD_CAN_NTLM = 2, AUTHD_CAN_GROUPS = 4 };

/* A reader of another version closes the connection. */
struct authd_hello {
	uint16_t version;
	uint32_t features; /* of authd: what works now; of the node: 0 */
};

enum authd_mechanism { AUTHD_NO_MECHANISM, AUTHD_KERBEROS, AUTHD_NTLM };
enum authd_flag {
	AUTHD_OVER_TLS = 1,
	AUTHD_BINDING_REQUIRED =
	        2, /* refuse tokens without a channel binding; without this, only those with a wrong one */
};

struct authd_request {
	uint64_t id;           /* chosen by the node; comes back in the reply */
	uint64_t conversation; /* 0 for a first token; of a CONTINUE reply for the next one */
	uint64_t origin;       /* a number for the caller's address: under load, origins are served in turn */
	uint32_t wait_ms;      /* after this long nobody wants the reply; 0: no limit */
	uint8_t flags;         /* enum authd_flag */
	struct slice
	        binding; /* application data of the channel binding, "tls-server-end-point:..."; empty: do not look at bindings */
	struct slice token; /* as decoded from the header: SPNEGO, Kerberos or NTLM; never empty */
};

enum authd_outcome { AUTHD_DONE = 1, AUTHD_CONTINUE = 2, AUTHD_REFUSED = 3 };
enum authd_reason {
#define AUTHD_REASON(name, text, mend) AUTHD_##name,
#include "proto/authd_reasons.def"
#undef AUTHD_REASON
	AUTHD_REASON_COUNT
};

struct authd_reply {
	uint64_t id;
	enum authd_outcome outcome;
	enum authd_reason reason; /* NONE exactly when not REFUSED */
	struct slice answer;      /* for WWW-Authenticate; may be empty with DONE */
	struct slice detail;   /* printable ASCII for the log: the ticket's service name and the like; may be empty */
	uint64_t conversation; /* with CONTINUE, else 0 */
	enum authd_mechanism mechanism; /* from here on with DONE only, else zero */
	uint64_t until_s;               /* since 1970: the ticket's end */
	struct slice account;           /* "DOMAIN\name"; in a directory-less realm the principal's name; UTF-8 */
	struct slice principal;         /* "name@REALM"; empty with NTLM */
	struct sid sid;                 /* none in a directory-less realm */
	struct slice
	        sids; /* the account's own and all its groups', for sid_set_read(); empty in a directory-less realm */
	uint32_t sid_count;
};

/* The node wants no more of a conversation: its caller left between two legs. */
struct authd_cancel {
	uint64_t conversation;
};

/* ASK, of the node for an administrator: {"ask": "keytab", ...}; TOLD, the answer: {"ok": true, ...} or {"ok": false, "error": "what",
 * "mend": "how"}. Only the length is looked at here. */
struct authd_json {
	uint64_t id;
	struct slice text; /* never empty */
};

struct authd_msg {
	enum authd_type type;
	union {
		struct authd_hello hello;
		struct authd_request request;
		struct authd_reply reply;
		struct authd_cancel cancel;
		struct authd_json ask, told;
	};
};

struct authd_reason_row {
	const char *name, *text, *mend; /* "NO_KEY_FOR_SPN", ... */
};
const struct authd_reason_row *authd_reason_row(enum authd_reason reason);

/* The message at the beginning of these bytes. NULL: *used is its length, or 0 when bytes are missing. Else what is wrong with it.
 * What is wrong with a length is said as soon as it is there, so a reader never gathers more than AUTHD_MSG_BYTES. */
const char *authd_msg_read(struct slice bytes, struct authd_msg *out, size_t *used);
/* Bytes that authd_msg_write() needs; 0 when a field breaks a bound. */
size_t authd_msg_bytes(const struct authd_msg *m);
/* out: authd_msg_bytes(). */
void authd_msg_write(const struct authd_msg *m, char *out);
