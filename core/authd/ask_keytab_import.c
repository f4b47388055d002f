/* Keys from a file that an administrator gives: beside those that there are, or in their place. */
#include "core/authd/ask.h"
#include "core/authd/keytab_file.h"
#include "core/base/log.h"
#include "proto/base64.h"

#include <stdio.h>
#include <stdlib.h>

static bool has_http(const struct keytab_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strncasecmp(keys[i].principal, "HTTP/", 5) == 0)
			return true;
	return false;
}

static struct keytab_view *given(const json_t *question, char problem[static KEYTAB_PROBLEM_BYTES])
{
	const char *text = ask_text(question, "keytab");
	size_t len = text ? strlen(text) : 0;
	char *bytes = len ? malloc(len) : NULL;
	struct keytab_view *v = NULL;
	if (bytes && base64_decode(slice_of(text, len), bytes, &len) && len <= KEYTAB_BYTES_MAX)
		v = keytab_load_bytes(slice_of(bytes, len), "that is given", problem);
	else
		snprintf(problem, KEYTAB_PROBLEM_BYTES, "what is given is empty, or larger than any keytab");
	if (bytes)
		explicit_bzero(bytes, strlen(text));
	free(bytes);
	return v;
}

/* With the lock. old: NULL when there is none that can be read. */
static json_t *put(struct authd *a, const struct keytab_view *fresh, const struct keytab_view *old, bool keep_old)
{
	char problem[KEYTAB_PROBLEM_BYTES];
	struct keytab_merge both = {0}, one = {0};
	json_t *answer = NULL;
	if (!keytab_merge(fresh->keys, fresh->count, old, &both) ||
	    !keytab_merge(fresh->keys, fresh->count, NULL, &one)) {
		answer = ask_failed("there is not enough memory, or the keytab would hold too many keys",
		                    "remove old keys with ktutil");
	} else {
		const struct keytab_merge *kept = keep_old ? &both : &one;
		size_t gone = both.count - kept->count;
		if (!keytab_file_write(a->keytab.path, kept->keys, kept->count, problem))
			answer = ask_failed(problem, "the keytab is as it was");
		else
			answer = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I}", "ok", 1, "added", (json_int_t)both.added,
			                   "same", (json_int_t)both.same, "conflicts", (json_int_t)both.conflicts,
			                   "gone", (json_int_t)gone, "keys", (json_int_t)kept->count);
		if (json_is_true(json_object_get(answer, "ok")))
			event_log(EVENT_KEYTAB_CHANGED, "%zu keys added, %zu taken out, of %s", both.added, gone,
			          a->keytab.path);
	}
	keytab_merge_done(&both);
	keytab_merge_done(&one);
	return answer;
}

json_t *ask_keytab_import(struct authd *a, const json_t *question)
{
	char problem[KEYTAB_PROBLEM_BYTES], no_old[KEYTAB_PROBLEM_BYTES];
	bool keep_old = json_is_true(json_object_get(question, "keep_old"));
	struct keytab_view *fresh = given(question, problem);
	if (!fresh)
		return ask_failed(problem, "give the file that ktpass, samba-tool, adutil or ktutil wrote");
	if (!has_http(fresh->keys, fresh->count)) {
		keytab_view_unref(fresh);
		return ask_failed("the file holds no key of HTTP/NAME, which callers' tickets are for",
		                  "export the key for the service name: ktpass -princ HTTP/NAME@REALM, or samba-tool "
		                  "domain exportkeytab "
		                  "--principal=HTTP/NAME");
	}
	keytab_file_lock();
	struct keytab_view *old = keytab_load(a->keytab.path, no_old);
	/* One that is there and cannot be read may hold keys that are in use: it is not written over as if there were none. */
	struct stat st;
	json_t *answer = NULL;
	if (!old && stat(a->keytab.path, &st) == 0 && st.st_size > 2 && keep_old)
		answer = ask_failed(no_old, "mend or move the file, or import without --keep-old");
	else
		answer = put(a, fresh, old, keep_old);
	keytab_file_unlock();
	keytab_read(&a->keytab);
	keytab_view_unref(old);
	keytab_view_unref(fresh);
	return answer;
}
