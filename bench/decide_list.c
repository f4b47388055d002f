#include "bench/decide.h"
#include "core/base/check.h"
#include "proto/authlist_doc.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

double decide_now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t heap(void)
{
	struct mallinfo2 m = mallinfo2();
	return m.uordblks + m.hblkhd;
}

static struct slice document_of(size_t entries)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	CHECK(f);
	fputs("{\"version\": 1, \"entries\": [", f);
	for (size_t i = 0; i < entries; i++)
		fprintf(f,
		        "%s{\"sid\": \"S-1-5-21-1-2-3-%zu\", \"role\": \"%s\", \"name\": \"CORP\\\\Group %zu\", "
		        "\"kind\": \"%s\", "
		        "\"added\": \"2026-01-%02zuT%02zu:%02zu:00Z\"}",
		        i ? ",\n" : "", 1000 + i, i % 3 ? "exchange" : "sharepoint", i,
		        i % 10 ? "group" : "distribution", 1 + i / 1440 % 28, i / 60 % 24, i % 60);
	fputs("]}\n", f);
	CHECK(fclose(f) == 0);
	return slice_of(text, len);
}

/* As a directory would tell: the accounts of each expanded group in a row. */
static void expand(struct authlist_rows *rows, size_t accounts, const struct sid *domain)
{
	size_t groups = (rows->entry_count + 9) / 10, group = 0;
	for (size_t i = 0; i < rows->entry_count; i++) {
		struct authlist_object *o = &rows->entries[i].object;
		if (rows->entries[i].kind != AUTHLIST_KIND_DISTRIBUTION)
			continue;
		o->need = authlist_entry_need(&rows->entries[i]);
		o->members_at = (int64_t)clock_now();
		for (size_t a = accounts * group / groups; a < accounts * (group + 1) / groups; a++) {
			struct sid s;
			CHECK(sid_with_rid(domain, DECIDE_RID + (uint32_t)a, &s) && sid_set_add(&o->members, &s));
		}
		sid_set_seal(&o->members);
		group++;
	}
	CHECK(group == groups);
}

struct authlist *decide_list_make(size_t entries, size_t accounts, struct decide_list *out)
{
	static const uint8_t hash[AUTHLIST_HASH_BYTES] = {1};
	struct slice document = document_of(entries);
	struct authlist_rows rows;
	struct authlist *l = NULL;
	struct sid domain;
	char problem[AUTHLIST_DOC_PROBLEM_BYTES];
	size_t before = heap();
	*out = (struct decide_list){.entries = entries, .accounts = accounts, .document_bytes = document.len};
	double began = decide_now_s();
	CHECK(authlist_doc_read(document, &rows, problem).code == ERR_NONE);
	out->read_ms = (decide_now_s() - began) * 1e3;
	CHECK(sid_parse(SLICE("S-1-5-21-1-2-3"), &domain));
	expand(&rows, accounts, &domain);
	began = decide_now_s();
	CHECK(authlist_new(&rows, hash, 1, (int64_t)clock_now(), 3600ULL * 1000000, &l).code == ERR_NONE);
	out->publish_ms = (decide_now_s() - began) * 1e3;
	out->heap_bytes = heap() - before;
	free((char *)(uintptr_t)document.at);
	return l;
}
