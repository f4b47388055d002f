#include "bench/floor_worker.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include <openssl/err.h>
#include <openssl/x509v3.h>
#pragma GCC diagnostic pop

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void die(const char *what, const char *file)
{
	fprintf(stderr, "rms-floor: %s: %s\n", file, what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static int on_bio_read(BIO *bio, char *to, int n)
{
	struct floor_worker *w = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (w->in_bytes == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	size_t part = (size_t)n < w->in_bytes ? (size_t)n : w->in_bytes;
	memcpy(to, w->in, part);
	w->in += part;
	w->in_bytes -= part;
	return (int)part;
}

static int on_bio_write(BIO *bio, const char *from, int n)
{
	struct floor_worker *w = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if ((size_t)n > FLOOR_OUT_BYTES - w->out_bytes)
		return -1;
	memcpy(w->out + w->out_bytes, from, (size_t)n);
	w->out_bytes += (size_t)n;
	return n;
}

static long on_bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	return command == BIO_CTRL_FLUSH;
}

static int on_bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct floor_worker *w = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	SSL_SESSION_free(w->session);
	w->session = session;
	return 1;
}

static SSL_CTX *context_new(struct floor_worker *w)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	if (!ctx)
		die("no TLS context", "start");
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set1_curves_list(ctx, "X25519:P-256");
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_app_data(ctx, w);
	return ctx;
}

void floor_tls_init(struct floor_worker *w)
{
	const struct floor_options *o = w->options;
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "floor");
	if (!method)
		die("no memory", "start");
	BIO_meth_set_read(method, on_bio_read);
	BIO_meth_set_write(method, on_bio_write);
	BIO_meth_set_ctrl(method, on_bio_ctrl);
	BIO_meth_set_create(method, on_bio_create);
	w->bio = BIO_new(method);
	if (!w->bio)
		die("no memory", "start");
	BIO_set_data(w->bio, w);

	w->client = context_new(w);
	if (!SSL_CTX_load_verify_locations(w->client, o->ca_file, NULL))
		die("no certificates could be read from this file", o->ca_file);
	SSL_CTX_set_verify(w->client, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(w->client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(w->client, on_session);
	if (!o->certificate)
		return;
	w->server = context_new(w);
	SSL_CTX_set_session_cache_mode(w->server, SSL_SESS_CACHE_OFF);
	if (!SSL_CTX_use_certificate_chain_file(w->server, o->certificate))
		die("no certificate could be read from this file", o->certificate);
	if (!SSL_CTX_use_PrivateKey_file(w->server, o->key, SSL_FILETYPE_PEM))
		die("this is not the key of the certificate", o->key);
}

static SSL *ssl_new(struct floor_worker *w, SSL_CTX *ctx)
{
	SSL *ssl = SSL_new(ctx);
	if (!ssl)
		die("no memory for a TLS connection", "run");
	BIO_up_ref(w->bio);
	SSL_set_bio(ssl, w->bio, w->bio);
	return ssl;
}

SSL *floor_tls_accept(struct floor_worker *w)
{
	SSL *ssl = ssl_new(w, w->server);
	SSL_set_accept_state(ssl);
	return ssl;
}

SSL *floor_tls_connect(struct floor_worker *w)
{
	const char *name = w->options->upstream_name;
	SSL *ssl = ssl_new(w, w->client);
	SSL_set_connect_state(ssl);
	if (!SSL_set_tlsext_host_name(ssl, name) ||
	    !X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl), name, strlen(name)))
		die("this is not a host name", name);
	if (w->session)
		SSL_set_session(ssl, w->session);
	return ssl;
}

/* 1: some progress, 0: the bytes of this turn are used up, -1: over. */
static int judge(SSL *ssl, int result)
{
	if (result > 0)
		return 1;
	int error = SSL_get_error(ssl, result);
	if (error == SSL_ERROR_WANT_READ)
		return 0;
	if (error == SSL_ERROR_SSL)
		ERR_print_errors_fp(stderr);
	ERR_clear_error();
	return -1;
}

int floor_tls_handshake(struct floor_worker *w, SSL *ssl)
{
	return judge(ssl, SSL_do_handshake(ssl));
}

long floor_tls_read(struct floor_worker *w, SSL *ssl)
{
	size_t got = 0;
	while ((w->in_bytes > 0 || SSL_pending(ssl) > 0) && got < FLOOR_PLAIN_BYTES) {
		int n = SSL_read(ssl, w->plain + got, (int)(FLOOR_PLAIN_BYTES - got));
		int verdict = judge(ssl, n);
		if (verdict < 0)
			return got > 0 ? (long)got : -1;
		if (verdict == 0)
			break;
		got += (size_t)n;
	}
	return (long)got;
}

bool floor_tls_write(struct floor_worker *w, SSL *ssl, const char *bytes, size_t n)
{
	size_t done = 0;
	while (done < n) {
		int part = SSL_write(ssl, bytes + done, (int)(n - done));
		if (judge(ssl, part) <= 0)
			return false;
		done += (size_t)part;
	}
	return true;
}
