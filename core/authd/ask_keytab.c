#include "core/authd/ask.h"

#include <stdio.h>
#include <sys/stat.h>

static void add_problem(json_t *problems, const char *text, const char *mend)
{
	json_array_append_new(problems, json_pack("{s:s, s:s}", "problem", text, "mend", mend));
}

static json_t *keys_of(const struct keytab_view *v)
{
	json_t *keys = json_array();
	char enctype[64];
	for (size_t i = 0; v && i < v->count; i++) {
		const struct keytab_key *k = &v->keys[i];
		json_array_append_new(keys, json_pack("{s:s, s:I, s:s, s:i, s:b, s:I}", "principal", k->principal,
		                                      "kvno", (json_int_t)k->kvno, "enctype",
		                                      keytab_enctype_name(k->enctype, enctype), "enctype_number",
		                                      (int)k->enctype, "weak", keytab_enctype_is_weak(k->enctype),
		                                      "made_s", (json_int_t)k->made_s));
	}
	return keys;
}

static void judge_keys(const struct keytab_view *v, json_t *problems)
{
	bool http = false, strong = false;
	for (size_t i = 0; i < v->count; i++) {
		http = http || strncasecmp(v->keys[i].principal, "HTTP/", 5) == 0;
		strong = strong || !keytab_enctype_is_weak(v->keys[i].enctype);
	}
	if (!http)
		add_problem(problems, "no key is for HTTP/NAME, which callers' tickets are for",
		            "export the key for the service name: ktpass -princ HTTP/NAME@REALM, or net ads keytab add "
		            "HTTP");
	if (!strong)
		add_problem(
		        problems, "there is no AES key, and tickets of weaker kinds are refused by many systems",
		        "set msDS-SupportedEncryptionTypes of the account to 24, change its password, export again");
}

static void judge_file(const char *path, json_t *problems)
{
	struct stat st;
	if (stat(path, &st) == 0 && (st.st_mode & 0007))
		add_problem(problems, "every user of this machine may read the keytab", "chmod o-rwx it");
}

json_t *ask_keytab(struct authd *a, const json_t *question)
{
	char problem[KEYTAB_PROBLEM_BYTES];
	uint64_t read_wall;
	json_t *problems = json_array();
	keytab_look(&a->keytab);
	struct keytab_view *v = keytab_ref(&a->keytab);
	keytab_problem(&a->keytab, problem, &read_wall);
	if (*problem)
		add_problem(problems, problem,
		            v ? "mend the file; until then the keys that were read before are used"
		              : "mend the file; it is read within a second");
	if (v)
		judge_keys(v, problems);
	judge_file(a->keytab.path, problems);
	json_t *answer =
	        json_pack("{s:b, s:s, s:s, s:I, s:o, s:o}", "ok", 1, "path", a->keytab.path, "state",
	                  !v         ? "unusable"
	                  : *problem ? "old"
	                             : "good",
	                  "read_s", (json_int_t)(read_wall / 1000000), "keys", keys_of(v), "problems", problems);
	keytab_view_unref(v);
	return answer;
}
