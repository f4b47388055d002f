/* The vendor's clouds as rows (clouds.def): what follows from a name. Pure. */
#pragma once
#include "core/base/slice.h"

struct cloud {
	const char *name;
	const char *login;  /* host of the login service; empty: not public */
	const char *scope;  /* of tokens for the service */
	const char *suffix; /* of tenants' hosts: GUID.rms.REGION.aadrm.com */
	const char *discovery;
};

/* Case does not count. NULL: there is none of that name. */
const struct cloud *cloud_find(struct slice name);
/* The cloud whose hosts end as this one does, whatever region stands before; NULL: none, a host of somebody's own. */
const struct cloud *cloud_of_host(const char *host);
/* Of a host of that cloud: whether it is a tenant's, GUID.rms.SUFFIX or GUID.rms.REGION.SUFFIX. Regions are any words: new ones need no new program. */
bool cloud_host_is_tenant(const struct cloud *c, const char *host);
/* The cloud whose login service this is; NULL: none. */
const struct cloud *cloud_of_login(const char *host);
/* "AzureCloud, AzureChinaCloud, ..." */
const char *cloud_names(void);
