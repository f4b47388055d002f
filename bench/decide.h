/* What the list of authorized servers costs at its largest: to read, to publish, to hold, and to decide about a caller. decide_main.c has the command
 * line. */
#pragma once
#include "store/authlist.h"

enum { DECIDE_ACCOUNTS_MAX = AUTHLIST_MEMBERS_MAX, DECIDE_CALLERS = 4096, DECIDE_RID = 100000 };

struct decide_list {
	size_t entries, accounts, document_bytes;
	double read_ms;    /* the document, from text */
	double publish_ms; /* from rows to a snapshot */
	size_t heap_bytes; /* of the snapshot */
};

/* entries groups, of which a tenth are expanded and have all accounts between them; ended with authlist_unref(). */
struct authlist *decide_list_make(size_t entries, size_t accounts, struct decide_list *out);

struct decide_speed {
	double decide_ns, still_ns; /* each */
	size_t asked, yes;          /* decisions, and those that let in */
};

/* Callers with so many groups: a third are let in by a group of theirs, a third by an expansion, a third by nothing. false: what was decided is not
 * what must be. */
bool decide_run(const struct authlist *l, const struct decide_list *shape, uint32_t groups, double seconds,
                struct decide_speed *out);
double decide_now_s(void);
