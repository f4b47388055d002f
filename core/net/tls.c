#include "core/net/tls.h"

#include "core/net/stream.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual" /* its stack.h */
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#pragma GCC diagnostic pop
#ifndef OPENSSL_IS_BORINGSSL
#error "these are not BoringSSL's headers: OpenSSL came first on the include path"
#endif

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* What Windows Server 2012 and later can speak in TLS 1.2; this BoringSSL has no DHE and no CBC-SHA256. */
static const char tls12_suites[] =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
        "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
        "ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA";
static const char system_bundle[] = "/etc/ssl/certs/ca-certificates.crt";

static const char end_point_prefix[] = "tls-server-end-point:";

struct tls_server {
	SSL_CTX *context[2]; /* [1]: the other key type, chosen by what the client can verify */
	bool first_is_ecdsa;
	struct tls_counts counts;
	char warning[512];
	int64_t valid_from_s, valid_until_s; /* all certificates */
	struct end_point {                   /* of each certificate */
		size_t len;
		char bytes[sizeof(end_point_prefix) - 1 + EVP_MAX_MD_SIZE];
	} end_point[2];
};

struct tls_client {
	SSL_CTX *context;
	char host[256];
	bool host_is_name, resume;
	SSL_SESSION *session; /* the newest ticket */
	struct tls_issuer issuer;
	struct tls_counts counts;
};

/* struct tls_conn is an SSL; its app data is the counts that it belongs to. */
static SSL *ssl_of(struct tls_conn *c)
{
	return (SSL *)(void *)c;
}

static _Thread_local char detail[512];

static const char *library_reason(void)
{
	uint32_t code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	ERR_clear_error();
	return reason ? reason : "unknown reason";
}

/* ---- one BIO for all connections of a loop ---- */

static BIO_METHOD *bio_method;
static int verify_index, client_index;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int bio_read(BIO *bio, char *out, int n)
{
	struct loop *l = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (l->input_len == 0 || l->input_of != l->turn) {
		BIO_set_retry_read(bio);
		return -1;
	}
	size_t take = (size_t)n < l->input_len ? (size_t)n : l->input_len;
	memcpy(out, l->input, take);
	l->input += take;
	l->input_len -= take;
	return (int)take;
}

static int bio_write(BIO *bio, const char *bytes, int n)
{
	struct loop *l = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	stream_tls_output(l->turn, bytes, (size_t)n);
	return n;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	return command == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_client *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), client_index);
	SSL_SESSION_free(t->session);
	t->session = session;
	return 1; /* the reference is ours now */
}

static void init_once(void)
{
	bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "loop");
	CHECK(bio_method);
	BIO_meth_set_read(bio_method, bio_read);
	BIO_meth_set_write(bio_method, bio_write);
	BIO_meth_set_ctrl(bio_method, bio_ctrl);
	BIO_meth_set_create(bio_method, bio_create);
	verify_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	client_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

struct err tls_loop_init(struct loop *l)
{
	pthread_once(&once, init_once);
	BIO *bio = BIO_new(bio_method);
	if (!bio)
		return ERR_OF(NO_MEMORY);
	BIO_set_data(bio, l);
	l->bio = bio;
	return OK;
}

void tls_loop_done(struct loop *l)
{
	BIO_free(l->bio);
	l->bio = NULL;
}

/* ---- contexts ---- */

static SSL_CTX *context_new(void)
{
	pthread_once(&once, init_once);
	SSL_CTX *x = SSL_CTX_new(TLS_method());
	if (!x)
		return NULL;
	if (!SSL_CTX_set_min_proto_version(x, TLS1_2_VERSION) || !SSL_CTX_set_max_proto_version(x, TLS1_3_VERSION) ||
	    !SSL_CTX_set1_curves_list(x, "X25519:P-256") || !SSL_CTX_set_strict_cipher_list(x, tls12_suites)) {
		SSL_CTX_free(x);
		return NULL;
	}
	SSL_CTX_set_mode(x, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return x;
}

void tls_ticket_keys_make(struct tls_ticket_keys *keys)
{
	RAND_bytes(keys->bytes, sizeof(keys->bytes));
}

static int choose_http11(SSL *ssl, const uint8_t **out, uint8_t *out_len, const uint8_t *in, unsigned in_len,
                         void *context)
{
	static const uint8_t http11[] = "http/1.1";
	for (unsigned at = 0; at < in_len && at + 1 + in[at] <= in_len; at += 1 + in[at])
		if (in[at] == sizeof(http11) - 1 && memcmp(in + at + 1, http11, sizeof(http11) - 1) == 0) {
			*out = http11;
			*out_len = sizeof(http11) - 1;
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_NOACK;
}

/* Whether this client can verify an ECDSA P-256 certificate: old .NET on old Windows may know RSA only. */
static bool hello_knows_ecdsa(const SSL_CLIENT_HELLO *hello)
{
	const uint8_t *list;
	size_t len;
	if (!SSL_early_callback_ctx_extension_get(hello, TLSEXT_TYPE_signature_algorithms, &list, &len))
		return false;
	bool algorithm = false, suite = false;
	for (size_t i = 2; i + 1 < len; i += 2)
		algorithm |= (list[i] << 8 | list[i + 1]) == SSL_SIGN_ECDSA_SECP256R1_SHA256;
	for (size_t i = 0; i + 1 < hello->cipher_suites_len; i += 2) {
		unsigned id = (unsigned)hello->cipher_suites[i] << 8 | hello->cipher_suites[i + 1];
		suite |= id == 0x1301 || id == 0x1302 || id == 0x1303 || id == 0xc02b || id == 0xc02c || id == 0xcca9;
	}
	return algorithm && suite;
}

static enum ssl_select_cert_result_t on_hello(const SSL_CLIENT_HELLO *hello)
{
	struct tls_server *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(hello->ssl), client_index);
	bool ecdsa = hello_knows_ecdsa(hello);
	SSL_set_SSL_CTX(hello->ssl, t->context[ecdsa == t->first_is_ecdsa ? 0 : 1]);
	return ssl_select_cert_success;
}

static void describe_chain(struct tls_server *t, SSL_CTX *x, const char *file)
{
	X509 *leaf = SSL_CTX_get0_certificate(x);
	STACK_OF(X509) *chain = NULL;
	SSL_CTX_get0_chain_certs(x, &chain);
	if (X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0)
		snprintf(t->warning, sizeof(t->warning), "the certificate in %s has expired", file);
	else if (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0)
		snprintf(t->warning, sizeof(t->warning), "the certificate in %s is not valid yet", file);
	else if (sk_X509_num(chain) == 0 && X509_check_issued(leaf, leaf) != X509_V_OK)
		snprintf(t->warning, sizeof(t->warning),
		         "%s holds the server's certificate alone: if an intermediate authority issued it, append that "
		         "certificate, or callers "
		         "cannot build the chain",
		         file);
}

/* RFC 5929 4.1: the hash that the certificate's signature was made with, but SHA-256 instead of MD5 and SHA-1. Without such a hash (RSA-PSS names it
 * elsewhere, Ed25519 has none of its own) the binding is not defined. */
static void make_end_point(struct end_point *e, X509 *leaf)
{
	int hash = NID_undef;
	unsigned n = 0;
	if (!OBJ_find_sigid_algs(X509_get_signature_nid(leaf), &hash, NULL) || hash == NID_undef)
		return;
	const EVP_MD *md = hash == NID_md5 || hash == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(hash);
	memcpy(e->bytes, end_point_prefix, sizeof(end_point_prefix) - 1);
	if (md && X509_digest(leaf, md, (uint8_t *)e->bytes + sizeof(end_point_prefix) - 1, &n))
		e->len = sizeof(end_point_prefix) - 1 + n;
	ERR_clear_error();
}

static int64_t seconds_of(const ASN1_TIME *at)
{
	int days = 0, seconds = 0;
	int64_t now = (int64_t)(clock_wall() / 1000000);
	return ASN1_TIME_diff(&days, &seconds, NULL, at) ? now + days * 86400ll + seconds : now;
}

static void note_validity(struct tls_server *t, X509 *leaf)
{
	int64_t from = seconds_of(X509_get0_notBefore(leaf)), until = seconds_of(X509_get0_notAfter(leaf));
	bool first = t->valid_until_s == 0;
	t->valid_from_s = first || from > t->valid_from_s ? from : t->valid_from_s;
	t->valid_until_s = first || until < t->valid_until_s ? until : t->valid_until_s;
}

static bool use_key(SSL_CTX *x, const char *file, struct slice pem)
{
	if (pem.len == 0)
		return SSL_CTX_use_PrivateKey_file(x, file, SSL_FILETYPE_PEM);
	BIO *text = BIO_new_mem_buf(pem.at, (int)pem.len);
	EVP_PKEY *key = text ? PEM_read_bio_PrivateKey(text, NULL, NULL, NULL) : NULL;
	bool used = key && SSL_CTX_use_PrivateKey(x, key);
	EVP_PKEY_free(key);
	BIO_free(text);
	return used;
}

static struct err load_pair(SSL_CTX *x, const char *certificate, const char *key, struct slice pem)
{
	ERR_clear_error();
	if (!SSL_CTX_use_certificate_chain_file(x, certificate)) {
		snprintf(detail, sizeof(detail), "%s cannot be used as a certificate chain in PEM form: %s",
		         certificate, library_reason());
		return ERR_OF(FILE, .what = detail);
	}
	if (!use_key(x, key, pem)) {
		snprintf(detail, sizeof(detail),
		         "%s cannot be used as the private key (PEM, without a password) of %s: %s", key, certificate,
		         library_reason());
		return ERR_OF(FILE, .what = detail);
	}
	return OK;
}

static struct err load_authorities(SSL_CTX *x, const char *file)
{
	ERR_clear_error();
	if (SSL_CTX_load_verify_locations(x, file, NULL))
		return OK;
	snprintf(detail, sizeof(detail), "%s cannot be used as a list of authorities in PEM form: %s", file,
	         library_reason());
	return ERR_OF(FILE, .what = detail);
}

static struct err server_context(struct tls_server *t, const struct tls_server_options *o, int i)
{
	SSL_CTX *x = t->context[i] = context_new();
	if (!x)
		return ERR_OF(NO_MEMORY);
	TRY(load_pair(x, o->certificate[i], o->key[i], SLICE("")));
	make_end_point(&t->end_point[i], SSL_CTX_get0_certificate(x));
	note_validity(t, SSL_CTX_get0_certificate(x));
	SSL_CTX_set_ex_data(x, client_index, t);
	SSL_CTX_set_options(x, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_OFF); /* tickets need none, and it is a lock */
	SSL_CTX_set_alpn_select_cb(x, choose_http11, NULL);
	SSL_CTX_set_num_tickets(x, 1); /* a second one costs 5 us a handshake */
	if (o->tickets)
		SSL_CTX_set_tlsext_ticket_keys(x, o->tickets->bytes, sizeof(o->tickets->bytes));
	else
		SSL_CTX_set_options(x, SSL_OP_NO_TICKET);
	if (o->client_ca) {
		TRY(load_authorities(x, o->client_ca));
		SSL_CTX_set_verify(x, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		static const uint8_t session_id_context[] = "rms-connector";
		SSL_CTX_set_session_id_context(x, session_id_context, sizeof(session_id_context) - 1);
	}
	if (!t->warning[0])
		describe_chain(t, x, o->certificate[i]);
	return OK;
}

struct err tls_server_new(const struct tls_server_options *o, struct tls_server **out)
{
	struct tls_server *t = calloc(1, sizeof(*t));
	if (!t)
		return ERR_OF(NO_MEMORY);
	struct err failed = server_context(t, o, 0);
	if (!failed.code && o->certificate[1])
		failed = server_context(t, o, 1);
	if (failed.code) {
		tls_server_free(t);
		return failed;
	}
	t->first_is_ecdsa = EVP_PKEY_id(SSL_CTX_get0_privatekey(t->context[0])) == EVP_PKEY_EC;
	if (t->context[1])
		SSL_CTX_set_select_certificate_cb(t->context[0], on_hello);
	*out = t;
	return OK;
}

void tls_server_free(struct tls_server *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->context[0]);
	SSL_CTX_free(t->context[1]);
	free(t);
}

bool tls_server_covers(const struct tls_server *t, struct slice host)
{
	for (int i = 0; i < 2 && t->context[i]; i++) {
		X509 *leaf = SSL_CTX_get0_certificate(t->context[i]);
		if (X509_check_host(leaf, host.at, host.len, 0, NULL) == 1)
			return true;
	}
	return false;
}

void tls_server_validity(const struct tls_server *t, int64_t *from_s, int64_t *until_s)
{
	*from_s = t->valid_from_s;
	*until_s = t->valid_until_s;
}

bool tls_server_has_end_point(const struct tls_server *t)
{
	return t->end_point[0].len && (!t->context[1] || t->end_point[1].len);
}

const char *tls_server_warning(const struct tls_server *t)
{
	return t->warning[0] ? t->warning : NULL;
}

struct err tls_client_new(const struct tls_client_options *o, struct tls_client **out)
{
	struct tls_client *t = calloc(1, sizeof(*t));
	if (!t)
		return ERR_OF(NO_MEMORY);
	t->context = context_new();
	if (!t->context) {
		tls_client_free(t);
		return ERR_OF(NO_MEMORY);
	}
	SSL_CTX *x = t->context;
	struct err failed = o->certificate ? load_pair(x, o->certificate, o->key, o->key_pem) : OK;
	if (failed.code) {
		tls_client_free(t);
		return failed;
	}
	SSL_CTX_set_ex_data(x, client_index, t);
	snprintf(t->host, sizeof(t->host), "%s", o->host);
	struct in6_addr address;
	t->host_is_name = inet_pton(AF_INET, o->host, &address) != 1 && inet_pton(AF_INET6, o->host, &address) != 1;
	static const uint8_t protocols[] = "\x08http/1.1";
	SSL_CTX_set_alpn_protos(x, protocols, sizeof(protocols) - 1);
	t->resume = o->resume;
	SSL_CTX_set_session_cache_mode(x, o->resume ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
	                                            : SSL_SESS_CACHE_OFF);
	SSL_CTX_sess_set_new_cb(x, on_new_session);
	if (!o->insecure_no_verify) {
		/* The default verify paths of this library load no root at all on Debian, and say so to nobody. */
		failed = load_authorities(x, o->ca_file && o->ca_file[0] ? o->ca_file : system_bundle);
		if (failed.code) {
			tls_client_free(t);
			return failed;
		}
		X509_VERIFY_PARAM *p = SSL_CTX_get0_param(x);
		X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		if (t->host_is_name)
			X509_VERIFY_PARAM_set1_host(p, t->host, strlen(t->host));
		else
			X509_VERIFY_PARAM_set1_ip_asc(p, t->host);
		SSL_CTX_set_verify(x, SSL_VERIFY_PEER, NULL);
	}
	*out = t;
	return OK;
}

void tls_client_free(struct tls_client *t)
{
	if (!t)
		return;
	SSL_SESSION_free(t->session);
	SSL_CTX_free(t->context);
	free(t);
}

const struct tls_counts *tls_server_counts(const struct tls_server *t)
{
	return &t->counts;
}

const struct tls_counts *tls_client_counts(const struct tls_client *t)
{
	return &t->counts;
}

void tls_server_versions(struct tls_server *t, uint16_t lowest, uint16_t highest)
{
	for (int i = 0; i < 2 && t->context[i]; i++) {
		SSL_CTX_set_min_proto_version(t->context[i], lowest);
		SSL_CTX_set_max_proto_version(t->context[i], highest);
	}
}

void tls_client_versions(struct tls_client *t, uint16_t lowest, uint16_t highest)
{
	SSL_CTX_set_min_proto_version(t->context, lowest);
	SSL_CTX_set_max_proto_version(t->context, highest);
}

/* ---- connections ---- */

static struct err conn_new(SSL_CTX *x, struct loop *l, struct tls_counts *counts, struct tls_conn **out)
{
	SSL *ssl = SSL_new(x);
	if (!ssl || !SSL_set_ex_data(ssl, verify_index, counts)) {
		SSL_free(ssl);
		ERR_clear_error();
		return ERR_OF(NO_MEMORY);
	}
	BIO_up_ref(l->bio);
	SSL_set_bio(ssl, l->bio, l->bio);
	SSL_set_shed_handshake_config(ssl, 1);
	*out = (struct tls_conn *)(void *)ssl;
	return OK;
}

struct err tls_conn_accept(struct tls_server *t, struct loop *l, struct tls_conn **out)
{
	TRY(conn_new(t->context[0], l, &t->counts, out));
	SSL_set_accept_state(ssl_of(*out));
	return OK;
}

struct err tls_conn_connect(struct tls_client *t, struct loop *l, struct tls_conn **out)
{
	TRY(conn_new(t->context, l, &t->counts, out));
	SSL *ssl = ssl_of(*out);
	SSL_set_connect_state(ssl);
	if (t->host_is_name && !SSL_set_tlsext_host_name(ssl, t->host))
		return ERR_OF(NO_MEMORY); /* stream_close() frees it */
	if (t->resume && t->session)
		SSL_set_session(ssl, t->session);
	return OK;
}

void tls_conn_free(struct tls_conn *c)
{
	if (c)
		SSL_free(ssl_of(c));
}

static void note_issuer(SSL *ssl)
{
	if (SSL_is_server(ssl) || SSL_session_reused(ssl))
		return;
	struct tls_client *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), client_index);
	tls_conn_issuer((struct tls_conn *)(void *)ssl, &t->issuer);
}

const struct tls_issuer *tls_client_issuer(const struct tls_client *t)
{
	return &t->issuer;
}

/* In an administrator's words: which of the many ways a handshake fails it was. */
static struct err handshake_failed(SSL *ssl)
{
	uint32_t code = ERR_peek_last_error();
	long verdict = 0;
	if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
		struct tls_issuer who;
		note_issuer(ssl);
		tls_conn_issuer((struct tls_conn *)(void *)ssl, &who);
		verdict = SSL_get_verify_result(ssl);
		snprintf(detail, sizeof(detail), "its certificate was refused: %s (issued by \"%s\"%s%s%s)",
		         X509_verify_cert_error_string(verdict), who.name, *who.organization ? " of \"" : "",
		         who.organization, *who.organization ? "\"" : "");
		ERR_clear_error();
	} else {
		snprintf(detail, sizeof(detail), "the TLS handshake failed: %s", library_reason());
	}
	return ERR_OF(TLS, .sys = (int)verdict, .what = detail);
}

int tls_conn_handshake(struct tls_conn *c, struct err *why)
{
	SSL *ssl = ssl_of(c);
	ERR_clear_error();
	int done = SSL_do_handshake(ssl);
	struct tls_counts *counts = SSL_get_ex_data(ssl, verify_index);
	if (done == 1) {
		counts->handshakes++;
		counts->resumed += (uint64_t)SSL_session_reused(ssl);
		note_issuer(ssl);
		return 1;
	}
	int reason = SSL_get_error(ssl, done);
	if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE)
		return 0;
	counts->failed++;
	*why = handshake_failed(ssl);
	return -1;
}

long tls_conn_read(struct tls_conn *c, char *out, size_t cap, struct err *why)
{
	SSL *ssl = ssl_of(c);
	int n = SSL_read(ssl, out, cap < INT32_MAX ? (int)cap : INT32_MAX);
	if (n > 0)
		return n;
	int reason = SSL_get_error(ssl, n);
	if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE)
		return 0;
	if (reason == SSL_ERROR_ZERO_RETURN)
		return -1;
	snprintf(detail, sizeof(detail), "what came is not valid TLS: %s", library_reason());
	*why = ERR_OF(TLS, .what = detail);
	return -2;
}

bool tls_conn_write(struct tls_conn *c, const char *bytes, size_t n)
{
	SSL *ssl = ssl_of(c);
	while (n > 0) {
		int taken = SSL_write(ssl, bytes, n < INT32_MAX ? (int)n : INT32_MAX);
		if (taken <= 0) {
			ERR_clear_error();
			return false;
		}
		bytes += taken;
		n -= (size_t)taken;
	}
	return true;
}

void tls_conn_end(struct tls_conn *c)
{
	SSL_shutdown(ssl_of(c));
	ERR_clear_error();
}

bool tls_conn_has_pending(struct tls_conn *c)
{
	return SSL_pending(ssl_of(c)) > 0;
}

bool tls_conn_resumed(struct tls_conn *c)
{
	return SSL_session_reused(ssl_of(c));
}

struct slice tls_conn_end_point(const struct tls_conn *c)
{
	const SSL_CTX *shown = SSL_get_SSL_CTX((const SSL *)(const void *)c);
	const struct tls_server *t = SSL_CTX_get_ex_data(shown, client_index);
	const struct end_point *e = &t->end_point[shown == t->context[1] ? 1 : 0];
	return slice_of(e->bytes, e->len);
}
