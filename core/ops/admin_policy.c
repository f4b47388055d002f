/* policy refresh: the list is read now. */
#include "core/ops/admin_call.h"
#include "core/relay/authlist_sync.h"

static void settled(struct admin_call *c)
{
	struct authlist_facts facts;
	authlist_sync_facts(c->source->list, &facts);
	if (facts.problem[0]) {
		admin_fail(c, EX_DATAERR,
		           facts.loaded ? "the list before it stays in force; mend the file" : "mend the file", "%s",
		           facts.problem);
		return;
	}
	json_t *o = json_object();
	admin_set(o, "generation", json_integer((json_int_t)facts.generation));
	admin_set(o, "entries", json_integer((json_int_t)facts.entries));
	admin_set(o, "denials", json_integer((json_int_t)facts.denials));
	admin_set(o, "sha256", json_string(facts.hash));
	admin_say(c, "the list is read: %llu entries, %llu denials, generation %llu, SHA-256 %s",
	          (unsigned long long)facts.entries, (unsigned long long)facts.denials,
	          (unsigned long long)facts.generation, facts.hash);
	admin_done(c, o);
}

void admin_run_policy_refresh(struct admin_call *c)
{
	struct authlist_facts facts = {0};
	if (c->source->list)
		authlist_sync_facts(c->source->list, &facts);
	if (!facts.configured) {
		admin_fail(c, EX_CONFIG, "set list.file in the configuration, and restart the node",
		           "there is nothing to read: list.file is not set");
		return;
	}
	admin_refresh_list(c, settled);
}
