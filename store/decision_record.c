#include "store/decision_record.h"

#include <endian.h>
#include <stdio.h>

/* ---- ids ---- */

void decision_id_print(uint64_t id, char out[static DECISION_ID_TEXT_BYTES])
{
	snprintf(out, DECISION_ID_TEXT_BYTES, "D%016llx", (unsigned long long)id);
}

bool decision_id_read(struct slice text, uint64_t *out)
{
	uint64_t id = 0;
	if (text.len != DECISION_ID_TEXT_BYTES - 1 || (text.at[0] != 'D' && text.at[0] != 'd'))
		return false;
	for (size_t i = 1; i < text.len; i++) {
		char c = text.at[i];
		unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
		                 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
		                 : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
		                                        : 16;
		if (digit == 16)
			return false;
		id = id << 4 | digit;
	}
	*out = id;
	return id != 0;
}

/* ---- writing ---- */

static void put(char **at, const void *bytes, size_t n)
{
	memcpy(*at, bytes, n);
	*at += n;
}

static void put_number(char **at, uint64_t value, size_t n)
{
	uint64_t little = htole64(value);
	put(at, &little, n);
}

static void put_text(char **at, const char *text)
{
	size_t n = strlen(text);
	put_number(at, n, 2);
	put(at, text, n);
}

size_t decision_record_write(const struct decision_record *r, char *out)
{
	char *at = out + 2;
	size_t sid = sid_is_none(&r->sid) ? 0 : sid_bytes(&r->sid);
	put_number(&at, r->id, 8);
	put_number(&at, r->at_s, 8);
	put_number(&at, r->until_s, 8);
	put_text(&at, decision_row(r->reason)->name); /* numbers of rows change */
	put_number(&at, r->role, 1);
	put_text(&at, r->account);
	put_number(&at, sid, 1);
	put(&at, r->sid.bytes, sid);
	put_text(&at, r->entry);
	put_text(&at, r->denial);
	put_text(&at, r->address);
	put(&at, r->sids, sizeof(r->sids));
	put_number(&at, r->group_count, 4);
	put_number(&at, r->generation, 8);
	put(&at, r->hash, sizeof(r->hash));
	put_number(&at, r->list_age_s, 4);
	put_number(&at, r->members_age_s, 4);
	put_number(&at, r->standing_age_s, 4);
	size_t n = (size_t)(at - out);
	at = out;
	put_number(&at, n - 2, 2);
	return n;
}

/* ---- reading ---- */

struct reader {
	struct slice left;
	bool broken;
};

static void take(struct reader *r, void *out, size_t n)
{
	if (r->broken || r->left.len < n) {
		r->broken = true;
		memset(out, 0, n);
		return;
	}
	memcpy(out, r->left.at, n);
	r->left = slice_from(r->left, n);
}

static uint64_t take_number(struct reader *r, size_t n)
{
	uint64_t little = 0;
	take(r, &little, n);
	return le64toh(little);
}

/* Without a NUL inside, so that what is read is what would be written. */
static void take_text(struct reader *r, char *out, size_t room)
{
	size_t n = take_number(r, 2);
	if (n >= room)
		r->broken = true;
	take(r, out, r->broken ? 0 : n);
	out[r->broken ? 0 : n] = 0;
	if (!r->broken && strlen(out) != n)
		r->broken = true;
}

static void take_reason(struct reader *r, enum decision_reason *out)
{
	char name[32];
	take_text(r, name, sizeof(name));
	for (unsigned i = 0; i < DECISION_REASON_COUNT && !r->broken; i++)
		if (strcmp(decision_row((enum decision_reason)i)->name, name) == 0) {
			*out = (enum decision_reason)i;
			return;
		}
	r->broken = true;
}

static void take_sid(struct reader *r, struct sid *out)
{
	size_t n = take_number(r, 1);
	if (n == 0 || r->broken)
		return;
	if (n > r->left.len || sid_read(slice_until(r->left, n), out) != n)
		r->broken = true;
	else
		r->left = slice_from(r->left, n);
}

bool decision_record_read(struct slice *bytes, struct decision_record *out)
{
	struct reader head = {.left = *bytes};
	size_t n = take_number(&head, 2);
	struct reader r = {.left = slice_until(head.left, n), .broken = head.broken || n > head.left.len};
	*out = (struct decision_record){.id = take_number(&r, 8)};
	out->at_s = take_number(&r, 8);
	out->until_s = take_number(&r, 8);
	take_reason(&r, &out->reason);
	out->role = (enum authlist_role)take_number(&r, 1);
	take_text(&r, out->account, sizeof(out->account));
	take_sid(&r, &out->sid);
	take_text(&r, out->entry, sizeof(out->entry));
	take_text(&r, out->denial, sizeof(out->denial));
	take_text(&r, out->address, sizeof(out->address));
	take(&r, out->sids, sizeof(out->sids));
	out->group_count = (uint32_t)take_number(&r, 4);
	out->generation = take_number(&r, 8);
	take(&r, out->hash, sizeof(out->hash));
	out->list_age_s = (uint32_t)take_number(&r, 4);
	out->members_age_s = (uint32_t)take_number(&r, 4);
	out->standing_age_s = (uint32_t)take_number(&r, 4);
	if (r.broken || r.left.len || out->id == 0 || out->role >= AUTHLIST_ROLE_COUNT)
		return false;
	*bytes = slice_from(head.left, n);
	return true;
}
