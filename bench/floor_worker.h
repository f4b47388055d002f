/* rms-floor: a bare epoll + BoringSSL relay that understands nothing but Content-Length. It is a measuring stick and not a part of the product:
 * what the kernel and TLS cost, one recv and one send for each side, so that bench/compare can say how far above that a real proxy is. It has no
 * limits, no deadlines and no answers of its own: whatever it does not understand closes the connection. For loopback only.
 *
 *   caller --recv--> [worker's buffer, length scanned] --send--> kept TLS 1.3 connection to the cloud stand-in, and back the same way
 *
 * One thread owns a worker and all its connections. */
#pragma once
#include "core/base/list.h"

/* A measuring stick may see BoringSSL directly; in the product only core/crypto and core/net/tls.c do. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include <openssl/ssl.h>
#pragma GCC diagnostic pop

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLOOR_READ_BYTES  (256 * 1024)
/* A record that BoringSSL kept from the last read may come out with this one. */
#define FLOOR_PLAIN_BYTES (FLOOR_READ_BYTES + 32 * 1024)
#define FLOOR_OUT_BYTES   (FLOOR_PLAIN_BYTES + 16 * 1024)
#define FLOOR_HEAD_BYTES  (96 * 1024)

struct floor_options {
	const char *listen, *upstream; /* address:port */
	const char *certificate, *key; /* NULL: plain HTTP in */
	const char *upstream_name, *ca_file;
	unsigned workers;
};

enum floor_side { FLOOR_LISTENER, FLOOR_CLIENT, FLOOR_UPSTREAM };

struct floor_conn {
	int fd;
	uint8_t side;     /* enum floor_side */
	bool connected;   /* TCP; always for clients */
	bool ready;       /* TLS finished, or none */
	uint32_t watched; /* what epoll was told */
	SSL *ssl;
	struct floor_conn *peer; /* the other side of the exchange, else NULL */
	uint64_t expected;       /* bytes of this side's message that still come */
	char *held;              /* a head that is not complete; or request bytes while upstream connects */
	size_t held_bytes;
	char *unsent; /* what the kernel did not take */
	size_t unsent_bytes;
	struct list link; /* idle upstream connections, or the closed ones of this turn */
};

struct floor_worker {
	const struct floor_options *options;
	struct sockaddr_in upstream;
	SSL_CTX *server, *client;
	SSL_SESSION *session; /* newest ticket of upstream */
	BIO *bio;             /* one for all connections: it moves the bytes of this turn */
	int epoll;
	struct floor_conn listener;
	struct list idle, closed;
	const char *in; /* ciphertext that BoringSSL has not read yet */
	size_t in_bytes;
	size_t out_bytes;
	char *cipher, *plain, *out;
};

/* floor_tls.c: on failure they say why on standard error and end the program: nothing can be measured then. */
void floor_tls_init(struct floor_worker *w);
SSL *floor_tls_accept(struct floor_worker *w);
SSL *floor_tls_connect(struct floor_worker *w);
/* 1: finished, 0: more bytes are needed, -1: failed. What is to be sent is in w->out. */
int floor_tls_handshake(struct floor_worker *w, SSL *ssl);
/* Decrypts w->in into w->plain; bytes, or -1: the other side ended or failed. */
long floor_tls_read(struct floor_worker *w, SSL *ssl);
/* Encrypts into w->out. */
bool floor_tls_write(struct floor_worker *w, SSL *ssl, const char *bytes, size_t n);

/* floor_conn.c: connections and their bytes. Functions that return false leave it to the caller to close. */
_Noreturn void floor_die(const char *what); /* with errno */
struct floor_conn *floor_conn_new(struct floor_worker *w, int fd, enum floor_side side, uint32_t events);
/* One side only; the memory goes with floor_conn_sweep at the end of the turn, for the batch of events may still name it. */
void floor_conn_close(struct floor_worker *w, struct floor_conn *c);
void floor_conn_sweep(struct floor_worker *w);
void floor_conn_watch(struct floor_worker *w, struct floor_conn *c, uint32_t events);
bool floor_conn_hold(struct floor_conn *c, const char *bytes, size_t n);
void floor_conn_let_go(struct floor_conn *c);
bool floor_conn_send(struct floor_worker *w, struct floor_conn *c, const char *bytes, size_t n);
/* What the TLS layer wrote by itself: handshakes, key updates. */
bool floor_conn_flush_tls(struct floor_worker *w, struct floor_conn *c);
bool floor_conn_send_rest(struct floor_worker *w, struct floor_conn *c);

/* floor_relay.c */
_Noreturn void floor_relay_run(struct floor_worker *w, int listener);
