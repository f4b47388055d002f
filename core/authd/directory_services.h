/* Which accounts own a service name in a realm and in its forest. Worker threads; may block as directory.h says. */
#pragma once
#include "core/authd/directory.h"

enum { SERVICE_OWNERS_MAX = 8, SERVICE_NAME_BYTES = 128 };

enum service_kind { SERVICE_USER, SERVICE_COMPUTER, SERVICE_MANAGED };
struct service_owner {
	char dn[DIRECTORY_TEXT];
	char account[SERVICE_NAME_BYTES];   /* sAMAccountName; "" when only the forest's catalog knows it */
	char principal[SERVICE_NAME_BYTES]; /* userPrincipalName or "" */
	char domain[SERVICE_NAME_BYTES];    /* "CORP", of the realm that was asked */
	enum service_kind kind;
	bool disabled;
	int64_t enctypes; /* msDS-SupportedEncryptionTypes; -1: not set */
};
struct service_owners {
	struct service_owner at[SERVICE_OWNERS_MAX];
	size_t count; /* more than SERVICE_OWNERS_MAX are not counted */
};
/* service: "HTTP/rms.corp.test". Anything but OK: why is filled, nothing is known. */
enum directory_status directory_service_owners(struct directory_realm *r, const char *service,
                                               struct service_owners *out, struct directory_problem *why);
