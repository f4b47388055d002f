/* Why a host of the cloud cannot be used, as causes that an administrator mends in different ways; rows in reach.def. Any thread. */
#pragma once
#include "core/base/err.h"
#include "core/net/tls.h"

enum reach_cause {
#define REACH(name, advice) REACH_##name,
#include "core/cloud/reach.def"
	REACH_COUNT
};

/* why: ERR_NAME, ERR_NETWORK, ERR_TLS or ERR_UPSTREAM_PROXY as core/net/ tells them. issuer: tls_client_issuer(), or NULL. */
enum reach_cause reach_cause_of(struct err why, const char *host, bool proxied, const struct tls_issuer *issuer);
/* What to do; empty for REACH_PROXY. */
const char *reach_advice(enum reach_cause cause);
/* The host is one of the vendor's clouds, but no authority of theirs issued its certificate: something on the way makes certificates. */
bool reach_is_inspected(const char *host, const struct tls_issuer *issuer);
