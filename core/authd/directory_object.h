/* What the directory's entries are: accounts and groups, as JSON for the asks. Pure but for the entry. */
#pragma once
#include "core/authd/directory.h"

#include <jansson.h>

/* Attributes that directory_object_json() looks at; NULL at the end. */
extern const char *const directory_object_attributes[];

/* NULL: no SID (a contact), or no memory. */
json_t *directory_object_json(struct directory_entry *e, const char *netbios);
bool directory_object_sid(struct directory_entry *e, struct sid *out);
bool directory_object_is(struct directory_entry *e, const char *class);
bool directory_object_disabled(struct directory_entry *e);
/* The last part of a SID. */
uint32_t directory_rid(const struct sid *s);
json_t *directory_sid_json(const struct sid *s);
json_t *directory_error(const char *code, const char *what, const char *mend);
/* By status: "gone", "unreachable" and the like. */
json_t *directory_failure(enum directory_status status, const struct directory_problem *why);
