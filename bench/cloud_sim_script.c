#include "bench/cloud_sim_script.h"

#include <stdlib.h>

void sim_script_init(struct sim_script *s)
{
	*s = (struct sim_script){0};
	pthread_mutex_init(&s->lock, NULL);
}

void sim_script_done(struct sim_script *s)
{
	sim_script_clear(s);
	pthread_mutex_destroy(&s->lock);
}

struct sim_rule *sim_rule_new(void)
{
	struct sim_rule *rule = calloc(1, sizeof *rule);
	CHECK(rule);
	rule->refs = 1;
	rule->op = OP_COUNT;
	rule->times = UINT64_MAX;
	rule->retry_after = rule->interim_length = -1;
	return rule;
}

void sim_rule_free(struct sim_rule *rule)
{
	if (!rule)
		return;
	free(rule->path);
	free(rule->user_agent);
	free(rule->authorization);
	free(rule->location);
	free(rule->fault);
	free(rule->content_type);
	free(rule->item_exception);
	text_free(&rule->headers);
	text_free(&rule->raw);
	text_free(&rule->body);
	text_free(&rule->garbage);
	free(rule);
}

static void unref(struct sim_rule *rule)
{
	if (--rule->refs == 0)
		sim_rule_free(rule);
}

void sim_rule_unref(struct sim_script *s, struct sim_rule *rule)
{
	if (!rule)
		return;
	pthread_mutex_lock(&s->lock);
	unref(rule);
	pthread_mutex_unlock(&s->lock);
}

void sim_script_clear(struct sim_script *s)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->count; i++)
		unref(s->rules[i]);
	free(s->rules);
	s->rules = NULL;
	s->count = 0;
	s->connections = (struct sim_connection_rules){0};
	pthread_mutex_unlock(&s->lock);
}

static bool fits(const struct sim_rule *r, const struct sim_asked *a)
{
	if (r->op != OP_COUNT && r->op != a->op)
		return false;
	if (r->connection && r->connection != a->connection)
		return false;
	if (r->path && !slice_equal_nocase(slice_str(r->path), a->path))
		return false;
	struct slice scheme = a->scheme.len ? a->scheme : SLICE("none");
	if (r->authorization && !slice_equal_nocase(slice_str(r->authorization), scheme))
		return false;
	size_t n = r->user_agent ? strlen(r->user_agent) : 0;
	return !n || (a->user_agent.len >= n && memmem(a->user_agent.at, a->user_agent.len, r->user_agent, n));
}

/* Whether this request is over the limit of its second. */
static bool over_limit(struct sim_rule *r, usec_t now)
{
	usec_t second = now / 1000000;
	if (second != r->throttle_second) {
		r->throttle_second = second;
		r->throttle_count = 0;
	}
	return ++r->throttle_count > r->throttle_per_second;
}

static bool applies(struct sim_rule *r, usec_t now)
{
	r->seen++;
	if ((r->nth && r->seen != r->nth) || (r->every && r->seen % r->every) || r->times == 0)
		return false;
	if (r->throttle_per_second && !over_limit(r, now))
		return false;
	if (r->times != UINT64_MAX)
		r->times--;
	r->used++;
	return true;
}

struct sim_rule *sim_script_match(struct sim_script *s, const struct sim_asked *asked, usec_t now)
{
	struct sim_rule *found = NULL;
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->count && !found; i++) {
		if (fits(s->rules[i], asked) && applies(s->rules[i], now)) {
			found = s->rules[i];
			found->refs++;
		}
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

void sim_script_report(struct sim_script *s, struct text *out)
{
	pthread_mutex_lock(&s->lock);
	text_add_str(out, "[");
	for (size_t i = 0; i < s->count; i++)
		text_format(out, "%s{\"rule\":%u,\"matched\":%llu,\"used\":%llu}", i ? "," : "", s->rules[i]->number,
		            (unsigned long long)s->rules[i]->seen, (unsigned long long)s->rules[i]->used);
	text_add_str(out, "]");
	pthread_mutex_unlock(&s->lock);
}
