/* status: one sentence, then what there is to know at one look. */
#include "core/base/log.h"
#include "core/ops/admin_call.h"
#include "core/ops/audit.h"
#include "core/ops/proven.h"

#include <string.h>

static json_t *audit_json(const struct admin_call *c)
{
	json_t *o = json_object();
	admin_set(o, "usable", json_boolean(c->audit != NULL));
	admin_set(o, "problem", c->audit ? json_null() : admin_string(c->audit_problem));
	if (c->audit) {
		admin_set(o, "lines", json_integer((json_int_t)audit_lines(c->audit)));
		admin_set(o, "hash", json_string(audit_hash(c->audit)));
	}
	return o;
}

static json_t *you_json(const struct admin_call *c)
{
	json_t *o = json_object();
	admin_set(o, "uid", json_integer(c->peer.uid));
	admin_set(o, "name", c->peer.name[0] ? admin_string(c->peer.name) : json_null());
	admin_set(o, "role", json_string(admin_role_word(c->peer.role)));
	return o;
}

static json_t *list_json(const struct admin_call *c)
{
	struct authlist_facts f = {0};
	json_t *o = json_object();
	if (c->source->list)
		authlist_sync_facts(c->source->list, &f);
	admin_set(o, "file", f.configured ? admin_string(c->source->settings->list_file) : json_null());
	admin_set(o, "loaded", json_boolean(f.loaded));
	admin_set(o, "too_old", json_boolean(f.too_old));
	admin_set(o, "entries", json_integer((json_int_t)f.entries));
	admin_set(o, "denials", json_integer((json_int_t)f.denials));
	admin_set(o, "age_s", json_integer((json_int_t)(f.age / 1000000)));
	admin_set(o, "generation", json_integer((json_int_t)f.generation));
	admin_set(o, "sha256", f.hash[0] ? json_string(f.hash) : json_null());
	admin_set(o, "problem", f.problem[0] ? admin_string(f.problem) : json_null());
	return o;
}

void admin_run_status(struct admin_call *c)
{
	const struct stats_source *s = c->source->stats;
	const char *reason = s->not_ready_reason ? s->not_ready_reason(s->context) : NULL;
	usec_t up = clock_now() - s->started;
	char summary[256], proven[1024];
	stats_sentence(s, summary, sizeof(summary));
	json_t *o = json_object();
	admin_set(o, "summary", admin_string(summary));
	admin_set(o, "node", admin_string(s->node));
	admin_set(o, "version", admin_string(s->version));
	admin_set(o, "state", json_string(stats_state(s)));
	admin_set(o, "not_ready_reason", admin_string(reason));
	admin_set(o, "uptime_s", json_integer((json_int_t)(up / 1000000)));
	admin_set(o, "workers", json_integer((json_int_t)s->block_count));
	admin_set(o, "authentication", json_string(s->loopback_caller ? "OFF (test switch)" : "on"));
	admin_set(o, "upstream", admin_string(c->source->settings->upstream_url));
	proven_sentence(c->source->settings->node_state_directory, c->source->settings->upstream_url, proven,
	                sizeof(proven));
	admin_set(o, "upstream_proof", admin_string(proven));
	admin_set(o, "you", you_json(c));
	admin_set(o, "list", list_json(c));
	admin_set(o, "audit", audit_json(c));
	admin_done(c, o);
}
