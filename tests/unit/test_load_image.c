#include "bench/load_image.h"

#include "bench/rms_answer.h"
#include "core/base/check.h"
#include "proto/http_parse.h"
#include "proto/soap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct load_callers callers;
static struct load_options options;

static int make_callers(void **state)
{
	return load_callers_make(&callers).code ? -1 : 0;
}

static int free_callers(void **state)
{
	load_callers_done(&callers);
	return 0;
}

static struct load_images *images_of(enum load_caller caller)
{
	char words[256] = "";
	struct load_images *images = calloc(1, sizeof(*images));
	assert_non_null(images);
	struct load_profile p = load_profile_of(caller, &options);
	if (!load_images_add(images, &options, &callers, &p, words, sizeof(words)))
		fail_msg("%s", words);
	return images;
}

static void setup_options(void)
{
	options = (struct load_options){.target_count = 1, .request_bytes = 2048, .answer_bytes = 8192};
	snprintf(options.targets[0].authority, sizeof(options.targets[0].authority), "node:8080");
}

/* Reads a copy of the image as a server would: its head, which borrows the copy, and its body. Free the copy. */
static char *read_image(const struct load_image *image, struct http_head *head, struct slice *out)
{
	static const struct guard_limits limits = {65536, 65536};
	char *copy = malloc(image->len);
	memcpy(copy, image->bytes, image->len);
	enum guard_reason why;
	size_t scanned = 0;
	assert_int_equal(http_guard_request(copy, image->len, &scanned, &limits, &why), image->head_len);
	assert_true(http_parse_request(copy, image->head_len, head, &why));
	struct http_body body;
	http_body_start(&body, head);
	struct http_taken t = http_body_take(&body, copy + image->head_len, image->len - image->head_len, &why);
	assert_true(t.ok && body.complete);
	assert_int_equal(t.used, image->len - image->head_len);
	http_body_done(&body);
	*out = slice_of(t.data, t.data_len);
	return copy;
}

static void every_image_is_a_request_that_a_connector_takes(void **state)
{
	static struct http_head head;
	for (int chunked = 0; chunked < 2; chunked++)
		for (int c = CALLER_EXCHANGE; c < CALLER_COUNT; c++) {
			setup_options();
			options.chunked = chunked;
			struct load_images *images = images_of((enum load_caller)c);
			for (int op = 0; op < OP_NONE; op++)
				for (size_t i = 0; i < images->sets[0][c][op].count; i++) {
					struct slice body;
					char *copy = read_image(&images->sets[0][c][op].sizes[i], &head, &body);
					const struct rms_service *service = rms_service_find(head.path);
					assert_non_null(service);
					const struct rms_op *found =
					        rms_op_by_action(service, http_head_get(&head, HDR_SOAPACTION));
					assert_non_null(found);
					assert_int_equal(found->id, op);
					assert_int_equal(head.framing, chunked ? BODY_CHUNKED : BODY_LENGTH);
					assert_true(slice_equal(http_head_get(&head, HDR_HOST), SLICE("node:8080")));
					struct slice child = {0};
					assert_int_equal(soap_first_child(body.at,
					                                  body.len < SOAP_LOOK_BYTES ? body.len
					                                                             : SOAP_LOOK_BYTES,
					                                  body.len < SOAP_LOOK_BYTES, &child),
					                 SOAP_FOUND);
					assert_true(slice_equal(child, rms_ops[op].name));
					free(copy);
				}
			load_images_free(images);
		}
}

static void the_serial_stands_inside_the_message(void **state)
{
	static struct http_head head;
	for (int chunked = 0; chunked < 2; chunked++) {
		setup_options();
		options.chunked = chunked;
		struct load_images *images = images_of(CALLER_EXCHANGE);
		struct load_image_set *set = &images->sets[0][CALLER_EXCHANGE][OP_ACQUIRE_LICENSE];
		assert_int_equal(set->count, LOAD_SIZES_MAX);
		for (size_t i = 0; i < set->count; i++) {
			struct load_image *image = &set->sizes[i];
			if (image->serial_at == SIZE_MAX) { /* a chunk's end may cut it */
				assert_true(chunked);
				continue;
			}
			assert_memory_equal(image->bytes + image->serial_at, "000000000000000", 15);
			memcpy(image->bytes + image->serial_at, "fedcba9876543210", 16);
			struct slice body;
			char *copy = read_image(image, &head, &body);
			assert_non_null(memmem(body.at, body.len, "fedcba9876543210", 16));
			free(copy);
		}
		load_images_free(images);
	}
}

static void sized_requests_have_exactly_their_size(void **state)
{
	static struct http_head head;
	static const size_t sizes[] = {400, 2048, 8191, 8192, 8193, 262144};
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++)
		for (int chunked = 0; chunked < 2; chunked++) {
			setup_options();
			options.op = &rms_ops[OP_ACQUIRE_LICENSE];
			options.sized = true;
			options.chunked = chunked;
			options.request_bytes = sizes[i];
			struct load_images *images = images_of(CALLER_FIXED);
			const struct load_image *image = load_images_next(images, 0, CALLER_FIXED, OP_ACQUIRE_LICENSE);
			struct slice body;
			char *copy = read_image(image, &head, &body);
			assert_int_equal(body.len, sizes[i]);
			assert_true(slice_equal(http_head_get(&head, HDR_USER_AGENT), SLICE("rms-load answer=8192")));
			free(copy);
			load_images_free(images);
		}
}

static void more_headers_travel_and_an_agent_of_ones_own_replaces_ours(void **state)
{
	static struct http_head head;
	setup_options();
	options.headers[options.header_count++] = SLICE("Authorization: Negotiate YII");
	options.headers[options.header_count++] = SLICE("user-agent: me");
	struct load_images *images = images_of(CALLER_EXCHANGE);
	struct slice body;
	char *copy = read_image(load_images_next(images, 0, CALLER_EXCHANGE, OP_CERTIFY), &head, &body);
	assert_true(slice_equal(http_head_get(&head, HDR_AUTHORIZATION), SLICE("Negotiate YII")));
	assert_true(slice_equal(http_head_get(&head, HDR_USER_AGENT), SLICE("me")));
	size_t agents = 0;
	for (size_t i = 0; i < head.header_count; i++)
		agents += head.headers[i].id == HDR_USER_AGENT;
	assert_int_equal(agents, 1);
	free(copy);
	load_images_free(images);
}

static void an_answer_to_another_request_is_noticed(void **state)
{
	struct rms_tenant *tenant;
	struct rms_answers answers;
	assert_int_equal(
	        rms_tenant_new(&(struct rms_tenant_options){.url = RMS_TENANT_URL, .templates = 1}, &tenant).code, 0);
	rms_answers_init(&answers, tenant);
	setup_options();
	struct load_images *images[2] = {images_of(CALLER_EXCHANGE), images_of(CALLER_SHAREPOINT)};
	struct load_image_set *exchange = &images[0]->sets[0][CALLER_EXCHANGE][OP_ACQUIRE_LICENSE];
	struct load_image_set *sharepoint = &images[1]->sets[0][CALLER_SHAREPOINT][OP_ACQUIRE_LICENSE];
	struct rms_request request;
	struct text answer = {0};
	const struct load_image *asked = &exchange->sizes[0];
	assert_true(rms_request_read(&request, slice_of(asked->bytes + asked->head_len, asked->len - asked->head_len)));
	assert_int_equal(
	        rms_answer_make(&answers, OP_ACQUIRE_LICENSE, &request, &(struct rms_answer_options){0}, &answer), 200);
	struct slice got = text_slice(&answer);
	assert_null(load_expected_check(&asked->expected, OP_ACQUIRE_LICENSE, got));
	for (size_t i = 1; i < exchange->count; i++)
		assert_non_null(
		        strstr(load_expected_check(&exchange->sizes[i].expected, OP_ACQUIRE_LICENSE, got), "document"));
	struct load_expected other = sharepoint->sizes[0].expected;
	assert_non_null(load_expected_check(&other, OP_ACQUIRE_LICENSE, got));
	memcpy(other.work, asked->expected.work, sizeof(other.work));
	assert_non_null(strstr(load_expected_check(&other, OP_ACQUIRE_LICENSE, got), "account"));
	assert_null(load_expected_check(&other, OP_GET_SERVER_INFO, SLICE("")));
	text_free(&answer);
	rms_request_done(&request);
	load_images_free(images[0]);
	load_images_free(images[1]);
	rms_answers_done(&answers);
	rms_tenant_free(tenant);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_image_is_a_request_that_a_connector_takes),
	        cmocka_unit_test(the_serial_stands_inside_the_message),
	        cmocka_unit_test(sized_requests_have_exactly_their_size),
	        cmocka_unit_test(an_answer_to_another_request_is_noticed),
	        cmocka_unit_test(more_headers_travel_and_an_agent_of_ones_own_replaces_ours),
	};
	return cmocka_run_group_tests(tests, make_callers, free_callers);
}
