/* TLS contexts and the SSL under a stream. With core/crypto the only files that see BoringSSL. One context per worker and direction: nothing is
 * shared on the hot path. TLS 1.2 and 1.3 only; X25519, P-256; suites that Windows Server 2012 and later can use. */
#pragma once
#include "core/base/err.h"
#include "core/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_server;
struct tls_client;
struct tls_conn; /* an SSL */
struct loop;
struct stream;

struct tls_ticket_keys { /* shared by all workers of a process, so that a caller may resume with any of them */
	uint8_t bytes[48];
};
void tls_ticket_keys_make(struct tls_ticket_keys *keys);

struct tls_server_options {
	const char *certificate[2],
	        *key[2]; /* PEM files; the second pair may be NULL. An RSA and an ECDSA pair serve old and new callers */
	const struct tls_ticket_keys *tickets; /* NULL: no resumption */
	const char *client_ca; /* PEM file: a client certificate that leads there is required; NULL: none asked for */
};
/* On failure err.what (per thread, until the next call) names the file and the reason. */
struct err tls_server_new(const struct tls_server_options *o, struct tls_server **out);
void tls_server_free(struct tls_server *t);
/* Whether the certificate covers this DNS name; the chain file's warnings, or NULL: "no intermediate certificate in FILE", "expired on ...". */
bool tls_server_covers(const struct tls_server *t, struct slice host);
const char *tls_server_warning(const struct tls_server *t);

/* When all its certificates are valid, in seconds since 1970. */
void tls_server_validity(const struct tls_server *t, int64_t *from_s, int64_t *until_s);
/* Whether callers can bind a proof to this certificate and to the other one (RFC 5929 4.1): its signature has one hash. */
bool tls_server_has_end_point(const struct tls_server *t);

struct tls_client_options {
	const char *ca_file;           /* NULL: the system's bundle */
	const char *host;              /* sent as SNI and verified; a name or an address */
	const char *certificate, *key; /* PEM files that prove us; NULL: none */
	struct slice key_pem;          /* what is in key, where that is not read from the file itself; empty: it is */
	bool resume;
	bool insecure_no_verify; /* load tool only */
};
struct err tls_client_new(const struct tls_client_options *o, struct tls_client **out);
void tls_client_free(struct tls_client *t);

struct tls_counts {
	uint64_t handshakes, resumed, failed;
};
const struct tls_counts *tls_server_counts(const struct tls_server *t);
const struct tls_counts *tls_client_counts(const struct tls_client *t);

enum { TLS_ISSUER_BYTES = 72 };
struct tls_issuer { /* printable ASCII; empty where the certificate does not say it */
	char organization[TLS_ISSUER_BYTES], name[TLS_ISSUER_BYTES];
};
/* Of what a connection was shown; empty where it was shown none. */
void tls_conn_issuer(struct tls_conn *c, struct tls_issuer *out);
/* Who issued the certificate that the last full handshake was shown, whether it was refused or not. */
const struct tls_issuer *tls_client_issuer(const struct tls_client *t);

/* What a certificate was refused for, of an ERR_TLS whose sys is greater than 0. */
enum tls_refusal { TLS_REFUSED_NAME, TLS_REFUSED_TIME, TLS_REFUSED_CHAIN, TLS_REFUSED_OTHER };
enum tls_refusal tls_refusal_of(int sys);
/* Lowest and highest protocol version, 0x0301 to 0x0304, for tests and the simulator; the default is 1.2 to 1.3. */
void tls_server_versions(struct tls_server *t, uint16_t lowest, uint16_t highest);
void tls_client_versions(struct tls_client *t, uint16_t lowest, uint16_t highest);

/* ---- for stream.c only ---- */
struct err tls_conn_accept(struct tls_server *t, struct loop *l, struct tls_conn **out);
struct err tls_conn_connect(struct tls_client *t, struct loop *l, struct tls_conn **out);
void tls_conn_free(struct tls_conn *c);
/* Makes one BIO for the loop; it moves the bytes of loop->turn. */
struct err tls_loop_init(struct loop *l);
void tls_loop_done(struct loop *l);
/* Feeds loop->input. 1: handshake finished, 0: more needed, -1: failed, reason in *why. */
int tls_conn_handshake(struct tls_conn *c, struct err *why);
/* Bytes of plaintext into out; 0: input used up; -1: orderly end (close_notify); -2: failed, err in *why. */
long tls_conn_read(struct tls_conn *c, char *out, size_t cap, struct err *why);
/* Encrypts all n bytes into loop->out through the BIO. false: broken. */
bool tls_conn_write(struct tls_conn *c, const char *bytes, size_t n);
void tls_conn_end(struct tls_conn *c);
bool tls_conn_resumed(struct tls_conn *c);
bool tls_conn_has_pending(struct tls_conn *c);
/* Of a connection that was accepted: "tls-server-end-point:" and the hash of the certificate it was shown; empty when that has none. Lives as long as the
 * tls_server. */
struct slice tls_conn_end_point(const struct tls_conn *c);
