#include "core/cloud/reach.h"

#include "core/base/check.h"
#include "proto/clouds.h"

#include <string.h>
#include <uv.h>

bool reach_is_inspected(const char *host, const struct tls_issuer *issuer)
{
	static const char *const usual[] = {
#define ISSUER(organization) organization,
#include "core/cloud/reach.def"
	};
	if (!issuer || !cloud_of_host(host))
		return false;
	for (size_t i = 0; i < ARRAY_COUNT(usual); i++)
		if (strcmp(issuer->organization, usual[i]) == 0)
			return false;
	return true;
}

static enum reach_cause cause_of_name(int sys, bool proxied)
{
	if (proxied)
		return REACH_PROXY_NAME;
	return sys == UV_EAI_NONAME || sys == UV_EAI_NODATA ? REACH_NAME_UNKNOWN : REACH_NAME_SERVERS;
}

static enum reach_cause cause_of_network(int sys, bool proxied)
{
	if (proxied)
		return REACH_PROXY_AWAY;
	switch (sys) {
	case UV_ECONNREFUSED:
		return REACH_REFUSED;
	case UV_ETIMEDOUT:
		return REACH_TIMEOUT;
	case UV_EHOSTUNREACH:
	case UV_ENETUNREACH:
	case UV_EACCES:
	case UV_EPERM:
		return REACH_NO_ROUTE;
	case UV_ECONNRESET:
	case UV_EPIPE:
		return REACH_RESET;
	default:
		return REACH_OTHER;
	}
}

static enum reach_cause cause_of_tls(int sys, const char *host, const struct tls_issuer *issuer)
{
	if (sys == UV_ECONNRESET || sys == UV_EOF)
		return REACH_TLS_CUT;
	if (sys == UV_ETIMEDOUT)
		return REACH_TLS_TIMEOUT;
	if (sys <= 0)
		return REACH_TLS_OTHER;
	enum tls_refusal refusal = tls_refusal_of(sys);
	if (refusal == TLS_REFUSED_NAME)
		return REACH_TLS_NAME;
	if (refusal == TLS_REFUSED_TIME)
		return REACH_TLS_TIME;
	return reach_is_inspected(host, issuer) ? REACH_INSPECTED : REACH_TLS_CHAIN;
}

enum reach_cause reach_cause_of(struct err why, const char *host, bool proxied, const struct tls_issuer *issuer)
{
	switch (why.code) {
	case ERR_NAME:
		return cause_of_name(why.sys, proxied);
	case ERR_NETWORK:
		return cause_of_network(why.sys, proxied);
	case ERR_TLS:
		return cause_of_tls(why.sys, host, issuer);
	case ERR_UPSTREAM_PROXY:
		return REACH_PROXY;
	case ERR_CLOSED:
	case ERR_TRUNCATED:
		return REACH_RESET;
	default:
		return REACH_OTHER;
	}
}

const char *reach_advice(enum reach_cause cause)
{
	static const char *const advice[] = {
#define REACH(name, text) text,
#include "core/cloud/reach.def"
	};
	return advice[cause];
}
