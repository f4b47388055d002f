/* What was decided about a caller, when and by what: what `explain DECISION-ID` reads. In a segment, many of them one behind the other, each with its
 * length (u16); read strictly. Pure; any thread. */
#pragma once
#include "store/authlist.h"

enum {
	DECISION_TEXT_BYTES = 272,  /* account, entry, denial: with its NUL */
	DECISION_ID_TEXT_BYTES = 18 /* "D" and 16 hexadecimal digits, and NUL */
};

struct decision_record {
	uint64_t id;   /* never 0 */
	uint64_t at_s; /* since 1970 */
	uint64_t
	        until_s; /* up to then it was used again: a yes 5 minutes, others 30 seconds, unless the list changed */
	enum decision_reason reason;
	enum authlist_role role;           /* of a yes */
	char account[DECISION_TEXT_BYTES]; /* "CORP\exch01$", or the principal's name */
	struct sid sid;                    /* of the account; none in a realm without directory */
	char entry
	        [DECISION_TEXT_BYTES]; /* of a yes: SID or principal of the entry that counted: the account itself, or the group of it; else "" */
	char denial[DECISION_TEXT_BYTES]; /* the same of the denial that decided */
	char address[64];                 /* of the computer that asked */
	uint8_t sids[16];                 /* SHA-256, cut, of account and groups: who has the same is decided alike */
	uint32_t group_count;             /* that the ticket, or the directory, showed */
	uint64_t generation;              /* of the list */
	uint8_t hash[AUTHLIST_HASH_BYTES];
	/* Ages of what it rests on, in seconds; UINT32_MAX: it does not rest on such. */
	uint32_t list_age_s;     /* since the source last said that this is the list */
	uint32_t members_age_s;  /* since the directory told who is in the entry or denial */
	uint32_t standing_age_s; /* since the directory was asked about the account */
};

/* Bytes that decision_record_write() needs, at most. */
enum { DECISION_RECORD_BYTES = 2 + 1100 };
/* Returns how many it wrote. */
size_t decision_record_write(const struct decision_record *r, char *out);
/* The record at the beginning of *bytes, which goes on behind it. False: it is none. */
bool decision_record_read(struct slice *bytes, struct decision_record *out);

/* "D00c0ffee00c0ffee" */
void decision_id_print(uint64_t id, char out[static DECISION_ID_TEXT_BYTES]);
/* Whether text is an id; capital letters are fine. */
bool decision_id_read(struct slice text, uint64_t *out);
