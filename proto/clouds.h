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
/* "AzureCloud, AzureChinaCloud, ..." */
const char *cloud_names(void);
