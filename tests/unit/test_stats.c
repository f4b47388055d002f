/* K01: three times for each operation and outcome. K04: all series from the start. And Prometheus' own checker finds nothing. */
#include "core/ops/stats.h"
#include "core/base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

static const char *const ops[] = {"certify", "acquire_license"};
static struct metric_block *blocks[2];
static struct stats_source source;
static const char *reason;
static bool draining;
static int refreshed;

static const char *not_ready_reason(void *context)
{
	return reason;
}

static bool is_draining(void *context)
{
	return draining;
}

static void refresh(void *context)
{
	refreshed++;
	metric_set(blocks[0], METRIC_exchanges_open, 0, 0, 77);
}

static int set_up(void **state)
{
	metric_labels(METRIC_LABEL_OP, ops, 2);
	return 0;
}

static int begin(void **state)
{
	for (int i = 0; i < 2; i++)
		blocks[i] = metric_block_new();
	source = (struct stats_source){.node = "n\"o\\d\ne",
	                               .version = "1.2.3",
	                               .blocks = blocks,
	                               .block_count = 2,
	                               .started = clock_now(),
	                               .started_wall = 1763800000000000ull,
	                               .not_ready_reason = not_ready_reason,
	                               .is_draining = is_draining,
	                               .refresh = refresh};
	reason = NULL;
	draining = false;
	refreshed = 0;
	return 0;
}

static int end(void **state)
{
	metric_block_free(blocks[0]);
	metric_block_free(blocks[1]);
	return 0;
}

static bool has_line(const char *text, const char *line)
{
	size_t n = strlen(line);
	for (const char *at = text; (at = strstr(at, line)); at++)
		if ((at == text || at[-1] == '\n') && at[n] == '\n')
			return true;
	print_error("no line: %s\n", line);
	return false;
}

static void all_series_are_there_with_zero(void **state) /* K04 */
{
	size_t len;
	char *text = stats_prometheus(&source, &len);
	assert_int_equal(len, strlen(text));
	assert_true(has_line(text, "rms_connector_requests_total{operation=\"certify\",effect=\"ok\"} 0"));
	assert_true(has_line(text, "rms_connector_requests_total{operation=\"acquire_license\",effect=\"final\"} 0"));
	assert_true(has_line(text, "rms_connector_self_made_answers_total{error=\"overload\"} 0"));
	assert_true(has_line(text, "rms_connector_upstream_connections{state=\"leased\"} 0"));
	assert_true(has_line(text, "rms_connector_upstream_wait_seconds_count 0"));
	assert_true(has_line(
	        text, "rms_connector_service_time_seconds_bucket{operation=\"certify\",effect=\"ok\",le=\"+Inf\"} 0"));
	for (unsigned id = 0; id < METRIC_COUNT; id++) {
		char title[256];
		snprintf(title, sizeof(title), "\n# TYPE %s ", metric_row(id)->name);
		assert_non_null(strstr(text, title));
	}
	free(text);
}

static void values_of_all_workers_are_summed(void **state)
{
	size_t len;
	metric_add(blocks[0], METRIC_requests, 1, 0, 40);
	metric_add(blocks[1], METRIC_requests, 1, 0, 2);
	metric_add(blocks[1], METRIC_client_received, 0, 0, 5000000000);
	char *text = stats_prometheus(&source, &len);
	assert_true(has_line(text, "rms_connector_requests_total{operation=\"acquire_license\",effect=\"ok\"} 42"));
	assert_true(has_line(text, "rms_connector_client_received_bytes_total 5000000000"));
	assert_true(has_line(text, "rms_connector_exchanges_open 77"));
	assert_int_equal(refreshed, 1);
	free(text);
}

static void times_are_buckets_in_seconds(void **state) /* K01 */
{
	size_t len;
	metric_time(blocks[0], METRIC_service_time, 0, 0, 400);
	metric_time(blocks[0], METRIC_service_time, 0, 0, 40000);
	metric_time(blocks[1], METRIC_service_time, 0, 0, 90 * 1000000ull);
	char *text = stats_prometheus(&source, &len);
#define SERVICE "rms_connector_service_time_seconds"
	assert_true(has_line(text, SERVICE "_bucket{operation=\"certify\",effect=\"ok\",le=\"0.0005\"} 1"));
	assert_true(has_line(text, SERVICE "_bucket{operation=\"certify\",effect=\"ok\",le=\"0.025\"} 1"));
	assert_true(has_line(text, SERVICE "_bucket{operation=\"certify\",effect=\"ok\",le=\"0.05\"} 2"));
	assert_true(has_line(text, SERVICE "_bucket{operation=\"certify\",effect=\"ok\",le=\"60\"} 2"));
	assert_true(has_line(text, SERVICE "_bucket{operation=\"certify\",effect=\"ok\",le=\"+Inf\"} 3"));
	assert_true(has_line(text, SERVICE "_sum{operation=\"certify\",effect=\"ok\"} 90.040400"));
	assert_true(has_line(text, SERVICE "_count{operation=\"certify\",effect=\"ok\"} 3"));
	assert_non_null(strstr(
	        text, "rms_connector_processing_time_seconds_count{operation=\"certify\",effect=\"deferred\"} 0"));
	assert_non_null(
	        strstr(text, "rms_connector_connector_time_seconds_count{operation=\"certify\",effect=\"final\"} 0"));
	free(text);
}

static void labels_are_escaped(void **state)
{
	size_t len;
	char *text = stats_prometheus(&source, &len);
	assert_true(has_line(text, "rms_connector_build_info{node=\"n\\\"o\\\\d\\ne\",version=\"1.2.3\"} 1"));
	free(text);
}

static void promtool_finds_nothing(void **state)
{
	if (access("/usr/bin/promtool", X_OK))
		skip();
	size_t len;
	metric_time(blocks[0], METRIC_loop_lag, 0, 0, 4000);
	char *text = stats_prometheus(&source, &len);
	FILE *to = popen("/usr/bin/promtool check metrics 2>&1", "w");
	assert_non_null(to);
	assert_int_equal(fwrite(text, 1, len, to), len);
	assert_int_equal(pclose(to), 0);
	free(text);
}

static json_t *stats(void)
{
	size_t len;
	char *text = stats_json(&source, &len);
	assert_int_equal(len, strlen(text));
	json_t *parsed = json_loads(text, 0, NULL);
	free(text);
	assert_non_null(parsed);
	return parsed;
}

static json_t *at(json_t *o, const char *path)
{
	char name[128];
	while (*path) {
		size_t n = strcspn(path, ".");
		memcpy(name, path, n);
		name[n] = 0;
		o = json_object_get(o, name);
		path += n + (path[n] == '.');
	}
	if (!o)
		print_error("nothing at %s\n", name);
	assert_non_null(o);
	return o;
}

static const char *text_at(json_t *o, const char *path)
{
	return json_string_value(at(o, path));
}

static void the_json_tells_the_same(void **state)
{
	metric_add(blocks[0], METRIC_requests, 1, 1, 7);
	metric_time(blocks[1], METRIC_connector_time, 0, 0, 5000);
	event_log(EVENT_DRAIN_BEGAN, "because");
	json_t *o = stats();
	assert_string_equal(text_at(o, "source"), "rms-connector");
	assert_string_equal(text_at(o, "node"), "n\"o\\d\ne");
	assert_string_equal(text_at(o, "state"), "ready");
	assert_string_equal(text_at(o, "authentication"), "on");
	assert_string_equal(text_at(o, "started"), "2025-11-22T08:26:40.000Z");
	assert_int_equal(json_integer_value(at(o, "metrics.requests.acquire_license.deferred")), 7);
	assert_int_equal(json_integer_value(at(o, "metrics.requests.certify.ok")), 0);
	assert_int_equal(json_integer_value(at(o, "metrics.connector_time.certify.ok.count")), 1);
	assert_true(json_real_value(at(o, "metrics.connector_time.certify.ok.p99_ms")) == 5.0);
	assert_int_equal(json_integer_value(at(o, "metrics.exchanges_open")), 77);
	assert_int_equal(json_integer_value(at(o, "process.pid")), getpid());
	assert_true(json_integer_value(at(o, "process.resident_bytes")) > 100000);
	assert_true(json_integer_value(at(o, "process.open_descriptors")) >= 3);
	assert_int_equal(json_integer_value(at(o, "process.workers")), 2);
	json_t *event = json_array_get(at(o, "events"), 0);
	assert_int_equal(json_integer_value(at(event, "event")), 4008);
	assert_non_null(strstr(text_at(event, "text"), "because"));
	json_decref(o);
}

static void the_test_switch_is_loud(void **state)
{
	size_t len;
	source.loopback_caller = "CORP\\x";
	json_t *o = stats();
	assert_string_equal(text_at(o, "authentication"), "OFF (test switch)");
	assert_string_equal(text_at(o, "loopback_caller"), "CORP\\x");
	assert_non_null(strstr(text_at(o, "warning"), "AUTHENTICATION OFF"));
	json_decref(o);
	char *text = stats_prometheus(&source, &len);
	assert_true(has_line(text, "rms_connector_authentication_off 1"));
	free(text);
}

static void states_are_told(void **state)
{
	size_t len;
	reason = "no worker is up";
	json_t *o = stats();
	assert_string_equal(text_at(o, "state"), "not ready");
	assert_string_equal(text_at(o, "not_ready_reason"), "no worker is up");
	json_decref(o);
	char *text = stats_prometheus(&source, &len);
	assert_true(has_line(text, "rms_connector_ready 0"));
	assert_true(has_line(text, "rms_connector_draining 0"));
	free(text);
	draining = true;
	o = stats();
	assert_string_equal(text_at(o, "state"), "draining");
	json_decref(o);
	source.not_ready_reason = NULL;
	source.is_draining = NULL;
	source.refresh = NULL;
	o = stats();
	assert_string_equal(text_at(o, "state"), "ready");
	assert_true(json_is_null(at(o, "not_ready_reason")));
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(all_series_are_there_with_zero, begin, end),
	        cmocka_unit_test_setup_teardown(values_of_all_workers_are_summed, begin, end),
	        cmocka_unit_test_setup_teardown(times_are_buckets_in_seconds, begin, end),
	        cmocka_unit_test_setup_teardown(labels_are_escaped, begin, end),
	        cmocka_unit_test_setup_teardown(promtool_finds_nothing, begin, end),
	        cmocka_unit_test_setup_teardown(the_json_tells_the_same, begin, end),
	        cmocka_unit_test_setup_teardown(the_test_switch_is_loud, begin, end),
	        cmocka_unit_test_setup_teardown(states_are_told, begin, end),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
