/* From a verified ticket to an account: which realm may speak for whom, and the set of SIDs that counts (E10). Any thread. */
#pragma once
#include "core/authd/job.h"
#include "core/authd/keytab.h"
#include "core/base/settings.h"
#include "proto/pac.h"

struct identity_facts {
	const struct keytab_view *keys; /* whose realms are our own */
	struct slice principal;         /* "name@REALM", as the library writes it */
	bool anonymous, has_pac;
	bool verified;   /* the PAC's signature, with our key */
	bool unreadable; /* a buffer of the PAC is there twice, or nothing of it could be had */
	struct pac_buffers pac;
};

/* Fills j->reply as DONE, without answer, detail and end, or refuses. false: refused. */
bool identity_make(const struct settings *s, const struct identity_facts *f, struct job *j);
