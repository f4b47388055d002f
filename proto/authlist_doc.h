/* The list of authorized servers as text: a JSON document, taken whole or refused whole. The writer is canonical: equal lists are equal bytes, whatever
 * order and spaces they were written with, so that a hash over it tells whether two nodes decide alike. Pure; any thread.
 *
 *   {"version": 1,
 *    "entries": [{"sid": "S-1-5-21-1-2-3-1104", "role": "exchange", "name": "CORP\\Exchange Servers", "kind": "group", "added": "2026-11-22T10:00:00Z"},
 *                {"principal": "files@EXAMPLE.ORG", "role": "fci", "added": "2026-11-22T10:00:00Z"}],
 *    "deny": [{"sid": "S-1-5-21-1-2-3-1120", "kind": "user", "until": "2026-12-24T00:00:00Z", "why": "under examination"}]}
 *
 * "kind" tells whether tickets show who is in it: while it is distribution or left out, the directory is asked, and until it has answered nobody who
 * might be in it is let in or refused for good. "expand": true asks it for a security group too (domain-local ones of another forest).
 */
#pragma once
#include "core/base/authlist_rows.h"
#include "core/base/err.h"

enum { AUTHLIST_DOC_BYTES_MAX = 8 * 1024 * 1024, AUTHLIST_DOC_PROBLEM_BYTES = 512, AUTHLIST_TIME_BYTES = 21 };

/* ERR_FILE: problem then says where (line and column, or "entry 3") and what, in an administrator's words; out is untouched.
 * On success out is the caller's, sorted, to be ended with authlist_rows_done(). */
struct err authlist_doc_read(struct slice text, struct authlist_rows *out,
                             char problem[static AUTHLIST_DOC_PROBLEM_BYTES]);

/* malloc'd, NUL-terminated, ends with a newline; NULL: no memory. rows must be sorted. */
char *authlist_doc_write(const struct authlist_rows *rows, size_t *len);
/* One row as it stands in the document, without comma and newline; malloc'd. What `servers add` tells to put in. */
char *authlist_doc_write_entry(const struct authlist_entry *e);
char *authlist_doc_write_denial(const struct authlist_denial *d); /* the same of a denial */

/* "2026-11-22T10:00:00Z", and only that form, from 1970 to 9999. */
bool authlist_time_read(struct slice text, int64_t *out_s);
void authlist_time_write(int64_t at_s, char out[static AUTHLIST_TIME_BYTES]);
