/* Who a Windows account is and which groups it is in, out of the buffers of a ticket's PAC ([MS-PAC]); only buffers whose signature was verified may
 * come in here. Strict and bounded: what does not fit together is refused whole. Pure. */
#pragma once
#include "core/base/sid.h"

enum { PAC_NAME_BYTES = 512 };

struct pac_buffers {
	struct slice logon;          /* 1: KERB_VALIDATION_INFO; always there */
	bool has_upn, has_requestor; /* an empty one is not valid, so emptiness does not say so */
	struct slice upn;            /* 12: UPN_DNS_INFO */
	struct slice requestor;      /* 18: PAC_REQUESTOR */
};

/* Finds them in a whole PAC. false: it is not framed as one, or has one of them twice. *has_logon: the first of them is there. */
bool pac_split(struct slice whole, struct pac_buffers *out, bool *has_logon);

struct pac_account {
	char domain[PAC_NAME_BYTES], name[PAC_NAME_BYTES]; /* UTF-8: "CORP", "exch$" */
	struct sid sid;
	struct sid domain_sid;
	struct sid_set groups;  /* of the ticket's own domains: groups that count and the account itself; sealed */
	bool requestor_differs; /* a SID elsewhere in the PAC is of another account */
};

enum pac_wrong { PAC_FINE, PAC_NOT_VALID, PAC_TOO_MANY, PAC_NO_MEMORY };

/* *why: words, with PAC_NOT_VALID. out is to be ended with pac_account_done() in any case. */
enum pac_wrong pac_read(const struct pac_buffers *b, struct pac_account *out, const char **why);
void pac_account_done(struct pac_account *a);
