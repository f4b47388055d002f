#include "core/ops/stats.h"
#include "core/base/log.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* jansson keeps going with NULL values: json_object_set_new() frees and reports, json_dumps() of NULL gives NULL. Running out of memory therefore
 * leaves members out, or shows as NULL at the end. */
static void set(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

static json_t *ms(usec_t value)
{
	return json_real((double)value / 1e3);
}

static json_t *timer_json(const struct histogram *h)
{
	json_t *t = json_object();
	set(t, "count", json_integer((json_int_t)h->count));
	set(t, "sum_ms", ms(h->sum));
	if (h->count == 0)
		return t;
	set(t, "mean_ms", json_real(histogram_mean(h) / 1e3));
	set(t, "min_ms", ms(h->min));
	set(t, "p50_ms", ms(histogram_percentile(h, 50)));
	set(t, "p90_ms", ms(histogram_percentile(h, 90)));
	set(t, "p99_ms", ms(histogram_percentile(h, 99)));
	set(t, "p999_ms", ms(histogram_percentile(h, 99.9)));
	set(t, "max_ms", ms(h->max));
	return t;
}

struct reading {
	const struct stats_source *source;
	struct histogram *scratch;
};

static json_t *cell_json(const struct reading *r, enum metric_id id, unsigned a, unsigned b)
{
	const struct stats_source *s = r->source;
	if (metric_row(id)->kind != METRIC_TIMER)
		return json_integer(metric_sum(s->blocks, s->block_count, id, a, b));
	histogram_clear(r->scratch);
	metric_sum_timer(s->blocks, s->block_count, id, a, b, r->scratch);
	return timer_json(r->scratch);
}

/* One object for each label that the row has: requests.certify.ok */
static json_t *metric_json(const struct reading *r, enum metric_id id)
{
	const struct metric_row *row = metric_row(id);
	if (row->a == METRIC_LABEL_NONE)
		return cell_json(r, id, 0, 0);
	json_t *by_a = json_object();
	for (unsigned a = 0; a < metric_label_count(row->a); a++) {
		const char *name = metric_label_value(row->a, a);
		if (row->b == METRIC_LABEL_NONE) {
			set(by_a, name, cell_json(r, id, a, 0));
			continue;
		}
		json_t *by_b = json_object();
		for (unsigned b = 0; b < metric_label_count(row->b); b++)
			set(by_b, metric_label_value(row->b, b), cell_json(r, id, a, b));
		set(by_a, name, by_b);
	}
	return by_a;
}

static json_t *metrics_json(const struct reading *r)
{
	json_t *all = json_object();
	for (unsigned id = 0; id < METRIC_COUNT; id++)
		set(all, metric_row(id)->id, metric_json(r, id));
	return all;
}

static json_t *process_json(const struct stats_source *s)
{
	struct stats_process p;
	stats_process_read(&p);
	json_t *o = json_object();
	set(o, "pid", json_integer(getpid()));
	set(o, "workers", json_integer((json_int_t)s->block_count));
	set(o, "threads", json_integer((json_int_t)p.threads));
	set(o, "resident_bytes", json_integer((json_int_t)p.resident_bytes));
	set(o, "open_descriptors", json_integer((json_int_t)p.open_descriptors));
	set(o, "descriptor_limit", json_integer((json_int_t)p.descriptor_limit));
	set(o, "cpu_s", json_real(p.cpu_s));
	return o;
}

static json_t *time_json(usec_t wall)
{
	char text[25];
	clock_format(wall, text);
	return json_string(text);
}

static json_t *events_json(void)
{
	struct log_event *recent = calloc(LOG_RECENT, sizeof(*recent));
	json_t *list = json_array();
	size_t n = recent ? log_recent(recent, LOG_RECENT) : 0;
	for (size_t i = 0; i < n; i++) {
		const struct event_row *row = event_row(recent[i].id);
		json_t *o = json_object();
		set(o, "time", time_json(recent[i].wall));
		set(o, "event", json_integer(row->number));
		set(o, "level", json_string(event_level_name(row->level)));
		/* A text that is not UTF-8 would make the member vanish. */
		json_t *text = json_string(recent[i].text);
		set(o, "text", text ? text : json_string(row->text));
		json_array_append_new(list, o);
	}
	free(recent);
	return list;
}

static json_t *log_json(const struct stats_source *s)
{
	json_t *o = json_object();
	set(o, "lines", json_integer((json_int_t)request_log_lines(s->request_log)));
	set(o, "dropped", json_integer((json_int_t)request_log_dropped(s->request_log)));
	return o;
}

static json_t *list_json(const struct stats_source *s)
{
	struct authlist_facts f = {0};
	if (s->list)
		authlist_sync_facts(s->list, &f);
	json_t *o = json_object();
	set(o, "configured", json_boolean(f.configured));
	set(o, "loaded", json_boolean(f.loaded));
	set(o, "too_old", json_boolean(f.too_old));
	set(o, "from_copy", json_boolean(f.from_copy));
	set(o, "age_s", json_real((double)f.age / 1e6));
	set(o, "generation", json_integer((json_int_t)f.generation));
	set(o, "sha256", f.hash[0] ? json_string(f.hash) : json_null());
	set(o, "entries", json_integer((json_int_t)f.entries));
	set(o, "denials", json_integer((json_int_t)f.denials));
	set(o, "failures", json_integer((json_int_t)f.failures));
	set(o, "members_unknown", json_integer((json_int_t)f.members_unknown));
	json_t *problem = f.problem[0] ? json_string(f.problem) : NULL;
	set(o, "problem", problem ? problem : json_null());
	return o;
}

char *stats_json(const struct stats_source *s, size_t *len)
{
	struct reading r = {s, malloc(sizeof(*r.scratch))};
	if (!r.scratch)
		return NULL;
	if (s->refresh)
		s->refresh(s->context);
	const char *reason = s->not_ready_reason ? s->not_ready_reason(s->context) : NULL;
	json_t *all = json_object();
	set(all, "source", json_string("rms-connector"));
	set(all, "node", json_string(s->node));
	set(all, "version", json_string(s->version));
	set(all, "state", json_string(stats_state(s)));
	set(all, "not_ready_reason", reason ? json_string(reason) : json_null());
	set(all, "authentication", json_string(s->loopback_caller ? "OFF (test switch)" : "on"));
	if (s->loopback_caller) {
		set(all, "loopback_caller", json_string(s->loopback_caller));
		set(all, "warning", json_string(event_row(EVENT_AUTHENTICATION_OFF)->text));
	}
	set(all, "started", time_json(s->started_wall));
	set(all, "uptime_s", json_integer((json_int_t)((clock_now() - s->started) / 1000000)));
	set(all, "process", process_json(s));
	set(all, "request_log", log_json(s));
	set(all, "authorized_servers", list_json(s));
	set(all, "metrics", metrics_json(&r));
	set(all, "events", events_json());
	char *text = json_dumps(all, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
	json_decref(all);
	free(r.scratch);
	*len = text ? strlen(text) : 0;
	return text;
}
