/* What a proof may conclude from its calls, and what it must leave open. */
#include "core/cloud/prove_verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct credential_settings credential = {.name = (char[]){"c"}, .kind = CREDENTIAL_OAUTH2_SECRET};
static struct settings settings = {.credentials = &credential, .credential_count = 1};
static struct prove p;
static struct prove_verdict v;

static void begin(void)
{
	p = (struct prove){.settings = &settings, .is_token = true, .has_words = true};
}

static void add(const char *scheme, const char *base, enum rms_op_id op, enum prove_outcome outcome, uint16_t status)
{
	struct prove_call *c = &p.calls[p.call_count++];
	*c = (struct prove_call){
	        .scheme = scheme, .base = base, .op = op, .answer = {.outcome = outcome, .status = status}};
	snprintf(c->path, sizeof(c->path), "%s/%d", base, (int)op);
}

static enum prove_settled settled(size_t i)
{
	struct prove_question q[PROVE_QUESTIONS];
	prove_conclude(&p, &v);
	prove_questions(&p, &v, q);
	return q[i].answer;
}

static void only_what_is_refused_without_it_shows_a_token(void **state)
{
	begin();
	add("none", "/_wmcs", OP_GET_SERVER_INFO, PROVE_GOOD, 200);
	add("Bearer", "/_wmcs", OP_GET_SERVER_INFO, PROVE_GOOD, 200);
	assert_int_equal(settled(0), PROVE_OPEN);
	assert_int_equal(v.result, PROVE_USABLE);
	assert_false(v.shows_token);
	add("none", "/_wmcs", OP_GET_LICENSOR_CERTIFICATE, PROVE_REFUSED, 401);
	add("Bearer", "/_wmcs", OP_GET_LICENSOR_CERTIFICATE, PROVE_GOOD, 200);
	assert_int_equal(settled(0), PROVE_YES);
	assert_int_equal(settled(1), PROVE_YES);
}

static void the_best_way_is_the_first_of_the_best(void **state)
{
	begin();
	add("none", "/_wmcs", OP_GET_SERVER_INFO, PROVE_REFUSED, 401);
	add("none", "/_wmcs/oauth2", OP_GET_SERVER_INFO, PROVE_REFUSED, 401);
	add("Bearer", "/_wmcs", OP_GET_SERVER_INFO, PROVE_REFUSED, 401);
	add("Bearer", "/_wmcs/oauth2", OP_GET_SERVER_INFO, PROVE_GOOD, 200);
	add("MSOID", "/_wmcs/oauth2", OP_GET_SERVER_INFO, PROVE_GOOD, 200);
	prove_conclude(&p, &v);
	assert_string_equal(v.base, "/_wmcs/oauth2");
	assert_string_equal(v.scheme, "Bearer");
	assert_true(v.msoid && v.bearer && v.oauth2_base);
}

static void a_refusal_is_no_and_silence_is_open(void **state)
{
	begin();
	add("none", "/_wmcs", OP_FIND_SERVICE_LOCATIONS, PROVE_OTHER, 503);
	add("Bearer", "/_wmcs", OP_FIND_SERVICE_LOCATIONS, PROVE_OTHER, 503);
	for (size_t i = 0; i < PROVE_QUESTIONS; i++)
		assert_int_equal(settled(i), PROVE_OPEN);
	assert_int_equal(v.result, PROVE_DENIED);
	add("Bearer", "/_wmcs", OP_GET_SERVER_INFO, PROVE_REFUSED, 403);
	add("Bearer", "/_wmcs/oauth2", OP_GET_SERVER_INFO, PROVE_OTHER, 404);
	assert_int_equal(settled(0), PROVE_NO);
	assert_int_equal(settled(2), PROVE_NO);
}

static void without_an_answer_nothing_is_settled(void **state)
{
	begin();
	p.has_words = false;
	add("none", "/_wmcs", OP_GET_SERVER_INFO, PROVE_LOST, 0);
	for (size_t i = 0; i < PROVE_QUESTIONS; i++)
		assert_int_equal(settled(i), PROVE_OPEN);
	assert_int_equal(v.result, PROVE_UNREACHABLE);
	add("none", "/_wmcs", OP_GET_LICENSOR_CERTIFICATE, PROVE_REFUSED, 401);
	strcpy(p.login_problem, "away");
	prove_conclude(&p, &v);
	assert_int_equal(v.result, PROVE_UNREACHABLE);
	p.login_refused = true;
	prove_conclude(&p, &v);
	assert_int_equal(v.result, PROVE_DENIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(only_what_is_refused_without_it_shows_a_token),
	        cmocka_unit_test(the_best_way_is_the_first_of_the_best),
	        cmocka_unit_test(a_refusal_is_no_and_silence_is_open),
	        cmocka_unit_test(without_an_answer_nothing_is_settled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
