#include "store/state.h"

#include <stdlib.h>

/* The list thrice, as LMDB writes new pages before it gives old ones back, and room for more kinds of records. */
enum { MAP_BYTES = 64 * 1024 * 1024 };

struct state {
	struct db *db;
};

struct err state_open(const char *directory, struct state **out, char problem[static DB_PROBLEM_BYTES])
{
	*out = NULL;
	*problem = 0;
	struct state *s = calloc(1, sizeof(*s));
	if (!s)
		return ERR_OF(NO_MEMORY);
	struct err failed = db_open(directory, "state", MAP_BYTES, &s->db, problem);
	if (failed.code)
		state_close(s);
	else
		*out = s;
	return failed;
}

void state_close(struct state *s)
{
	if (!s)
		return;
	db_close(s->db);
	free(s);
}

bool state_read_only(const struct state *s)
{
	return db_read_only(s->db);
}

struct err state_keep(struct state *s, enum state_kind kind, const struct state_record *r)
{
	size_t len;
	char *record = state_record_write(kind, r, &len);
	if (!record)
		return ERR_OF(NO_MEMORY);
	struct err failed = db_write(s->db, state_kind_key(kind), slice_of(record, len));
	free(record);
	return failed;
}

struct err state_last(struct state *s, enum state_kind kind, struct state_record *out, char **record)
{
	size_t len;
	TRY(db_read(s->db, state_kind_key(kind), record, &len));
	if (!*record || state_record_read(kind, slice_of(*record, len), out))
		return OK;
	free(*record);
	*record = NULL;
	return ERR_OF(FILE, .what = "what is kept there is damaged");
}
