/* A caller's connection: keep-alive, pipelining, which wait it is in. Owned by its relay; outlives its exchanges. An idle one holds this struct and
 * its TLS state, nothing else. */
#pragma once
#include "core/net/listener.h"
#include "core/net/stream.h"
#include "core/relay/entrance.h"
#include "core/relay/relay.h"

struct logon;
struct principal;

struct held { /* raw bytes not yet consumed: the beginning of a head, or a next request that came early */
	size_t n, cap;
	char bytes[];
};

struct client_conn {
	struct stream io;
	struct relay *relay;
	const struct entrance *entrance; /* of its listener; borrowed */
	struct tls_server *tls_server;   /* the same; NULL: plain */
	struct deadline deadline;        /* in relay->waits[wait] */
	struct exchange *exchange;
	struct held *held;
	union {                        /* authn.h; one at a time */
		struct principal *who; /* if proven; a reference */
		struct logon *logon;   /* if mid_logon; owned */
	};
	uint32_t requests;
	uint32_t spoke_as; /* principal_account_hash() of who was proven last; 0: nobody yet */
	uint8_t wait, close_reason;
	uint8_t admission; /* enum admission: what it is counted as */
	bool tls : 1, lingering : 1, unfinished : 1, shut : 1, address_known : 1;
	bool proven : 1, mid_logon : 1;
	bool per_request : 1;  /* something that mixes callers may stand between: no identity is kept */
	bool address_told : 1; /* by a PROXY header: it is the caller's, not a balancer's */
	uint8_t failures : 2;  /* of logons, in a row */
	uint8_t address[16];   /* IPv6 or mapped IPv4; asked for at the first log line */
};

enum client_after { CLIENT_KEEP, CLIENT_CLOSE, CLIENT_RESET };

/* A connection waits at the listener, whose context is its entrance. */
void client_conn_accept(struct relay *r, struct listener *from);
/* The exchange is over and gone; what becomes of its connection. Called by exchange.c only. */
void client_conn_after(struct client_conn *c, enum client_after what, enum close_reason why);
void client_conn_wait(struct client_conn *c, enum wait w);
/* Runs the connection's exchange with this event, then further requests that are already here. */
void client_conn_turn(struct client_conn *c, unsigned event);
/* The caller's address in words; "?" when the connection is gone already. */
const char *client_conn_address(struct client_conn *c, char out[static 64]);
/* Raw bytes to wait with, in held. false: no memory. */
bool client_conn_hold(struct client_conn *c, const char *bytes, size_t n);
void client_conn_drop_held(struct client_conn *c);
/* Ends it: in good order, or with a reset. */
void client_conn_close(struct client_conn *c, enum close_reason why);
void client_conn_reset(struct client_conn *c, enum close_reason why);
/* An idle one, in good order and at once: its descriptor is free when this returns. */
void client_conn_let_go(struct client_conn *c, enum close_reason why);
