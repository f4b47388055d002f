/* Who issued what the other side showed, and what it was refused for. */
#include "core/net/tls.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual" /* its stack.h */
#include <openssl/ssl.h>
#include <openssl/x509.h>
#pragma GCC diagnostic pop

/* What strangers wrote into a certificate, fit for a log. */
static void take_name(X509_NAME *from, int nid, char out[static TLS_ISSUER_BYTES])
{
	int n = X509_NAME_get_text_by_NID(from, nid, out, TLS_ISSUER_BYTES);
	out[n < 0 ? 0 : n < TLS_ISSUER_BYTES ? n : TLS_ISSUER_BYTES - 1] = 0;
	for (; *out; out++)
		if (*out < ' ' || *out > '~' || *out == '"')
			*out = '?';
}

void tls_conn_issuer(struct tls_conn *c, struct tls_issuer *out)
{
	STACK_OF(X509) *chain = SSL_get_peer_full_cert_chain((SSL *)(void *)c);
	*out = (struct tls_issuer){0};
	if (!chain || !sk_X509_num(chain))
		return;
	X509_NAME *issuer = X509_get_issuer_name(sk_X509_value(chain, 0));
	take_name(issuer, NID_organizationName, out->organization);
	take_name(issuer, NID_commonName, out->name);
}

enum tls_refusal tls_refusal_of(int sys)
{
	switch (sys) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return TLS_REFUSED_NAME;
	case X509_V_ERR_CERT_NOT_YET_VALID:
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return TLS_REFUSED_TIME;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
	case X509_V_ERR_CERT_CHAIN_TOO_LONG:
	case X509_V_ERR_CERT_UNTRUSTED:
	case X509_V_ERR_INVALID_CA:
		return TLS_REFUSED_CHAIN;
	default:
		return TLS_REFUSED_OTHER;
	}
}
