/* What the list of authorized servers is made of: entries, which let a directory object in with a role, and denials, which keep one out. Read from
 * text by proto/authlist_doc.c, decided upon by store/authlist.c; these two know only this. Roles and kinds: rows in authlist_kinds.def.
 * Owned by whoever has the struct authlist_rows; any thread, one at a time. */
#pragma once
#include "core/base/sid.h"
#include "core/base/slice.h"

enum authlist_role {
#define AUTHLIST_ROLE(name, word) AUTHLIST_ROLE_##name,
#include "core/base/authlist_kinds.def"
	AUTHLIST_ROLE_COUNT
};

enum authlist_kind {
#define AUTHLIST_KIND(name, word, people) AUTHLIST_KIND_##name,
#include "core/base/authlist_kinds.def"
	AUTHLIST_KIND_COUNT
};

enum {
	AUTHLIST_ROWS_MAX = 10000,
	AUTHLIST_TEXT_MAX = 256,       /* names, principals, reasons; bytes */
	AUTHLIST_MEMBERS_MAX = 100000, /* of all expansions together */
};

#define AUTHLIST_NEVER INT64_MIN

/* MUST: while its members are not known, nobody who might be among them is refused for good, or, where it is denied, let in. MAY: tickets show them
 * too, if later. */
enum authlist_members_need { MEMBERS_NO_NEED, MEMBERS_MAY, MEMBERS_MUST };

/* A directory object by its SID, or, in realms that have no directory, an account by its principal name. */
struct authlist_object {
	struct sid sid;  /* none: there is a principal */
	char *principal; /* NULL: none, there is a SID */
	char *name;      /* what people call it; NULL: not told. Never decides anything */
	bool expand;     /* "expand": its members are asked of the directory although its kind does not call for it */
	/* Who is in it at any depth, as the directory said: what no ticket shows. Sealed; may have more than SID_SET_MAX. No part of the document. */
	enum authlist_members_need need;
	struct sid_set members;
	int64_t members_at; /* clock_now() of the answer, lower, also below zero, when it came before this start; AUTHLIST_NEVER: none came */
};

struct authlist_entry {
	struct authlist_object object;
	enum authlist_role role;
	enum authlist_kind kind;
	int64_t added_s; /* since 1970: the oldest entry wins */
};

struct authlist_denial {
	struct authlist_object object;
	enum authlist_kind kind;
	int64_t until_s; /* 0: until it is lifted */
	char *why;       /* NULL: not told */
};

struct authlist_rows {
	struct authlist_entry *entries;
	struct authlist_denial *denials;
	size_t entry_count, denial_count;
};

/* Frees what is inside, not the struct itself; it is empty afterwards. */
void authlist_rows_done(struct authlist_rows *rows);
void authlist_object_done(struct authlist_object *o);

/* Whether the directory must be asked who is in it. */
enum authlist_members_need authlist_entry_need(const struct authlist_entry *e);
enum authlist_members_need authlist_denial_need(const struct authlist_denial *d);
/* All of it, members too. out: to be ended, also on failure. false: no memory. */
bool authlist_rows_copy(const struct authlist_rows *rows, struct authlist_rows *out);

/* The order in which the list is written and numbered: by age, then by SID or principal; so it is the same on every node, and the winner among an
 * account's groups is the first of them. */
void authlist_rows_sort(struct authlist_rows *rows);
/* By SID, then principal: zero is the same object. */
int authlist_object_compare(const struct authlist_object *a, const struct authlist_object *b);

/* "S-1-5-..." or the principal. out: AUTHLIST_ID_BYTES. */
enum { AUTHLIST_ID_BYTES = 264 };
const char *authlist_object_id(const struct authlist_object *o, char out[static AUTHLIST_ID_BYTES]);

const char *authlist_role_word(enum authlist_role role);
const char *authlist_kind_word(enum authlist_kind kind);
const char *authlist_kind_people(enum authlist_kind kind); /* "security group" */
/* false: no such word; *out stays. */
bool authlist_role_read(struct slice word, enum authlist_role *out);
bool authlist_kind_read(struct slice word, enum authlist_kind *out);

/* An entry is an account or a group of a domain, S-1-5-21-...: other SIDs stand for "everybody" or for nothing that a ticket names. NULL: good. */
const char *authlist_sid_wrong(const struct sid *s);
/* "NAME@REALM" of a Kerberos account: printable, one realm. NULL: good; else what is wrong with it. */
const char *authlist_principal_wrong(struct slice text);
/* Text for people: UTF-8 without control characters and without marks that turn the direction of text, 1 to AUTHLIST_TEXT_MAX bytes. */
const char *authlist_text_wrong(struct slice text);
