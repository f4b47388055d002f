/* audit list, audit verify: the record of changes. */
#include "core/ops/admin_call.h"
#include "core/ops/audit.h"

static bool is_usable(struct admin_call *c)
{
	if (c->audit)
		return true;
	admin_fail(c, EX_CONFIG, "set node.state_directory to a directory that the node may write, and restart it",
	           "there is no record of changes: %s", c->audit_problem);
	return false;
}

void admin_run_audit_list(struct admin_call *c)
{
	uint32_t last;
	if (!admin_number(c, "last", 50, 1, AUDIT_LIST_MAX, &last) || !is_usable(c))
		return;
	json_t *lines = audit_last(c->audit, last);
	if (!lines) {
		admin_fail(c, EX_IOERR, "see audit verify", "the record of changes cannot be read");
		return;
	}
	struct audit_check check = {0};
	struct err e = audit_verify(c->audit, &check);
	if (!e.code && check.broken_line)
		admin_say(c, "the record of changes is broken at line %llu (%s), so it proves nothing from there on",
		          (unsigned long long)check.broken_line, check.why);
	else if (!json_array_size(lines))
		admin_say(c, "nothing was changed yet");
	json_t *o = json_object();
	admin_set(o, "changes", lines);
	admin_done(c, o);
}

void admin_run_audit_verify(struct admin_call *c)
{
	struct audit_check check;
	if (!is_usable(c))
		return;
	struct err e = audit_verify(c->audit, &check);
	if (e.code) {
		admin_fail(c, EX_IOERR, "", "%s", err_text(e));
		return;
	}
	if (check.broken_line) {
		admin_fail(c, EX_DATAERR,
		           "the lines before it are as they were written; compare the rest with events 4041, which "
		           "carry the hash of each line",
		           "the record of changes is broken at line %llu: %s", (unsigned long long)check.broken_line,
		           check.why);
		return;
	}
	json_t *o = json_object();
	admin_set(o, "lines", json_integer((json_int_t)check.lines));
	admin_set(o, "hash", json_string(check.hash));
	admin_say(c, "the record of changes is whole: %llu lines, hash of the last %s", (unsigned long long)check.lines,
	          check.hash);
	admin_done(c, o);
}
