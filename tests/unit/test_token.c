/* H08, H10, B10: the wire of a token request, by itself. */
#include "core/cloud/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void values_are_encoded_whatever_is_in_them(void **state)
{
	struct token_form f = {0};
	token_form_add(&f, "a", SLICE("plain-._9Z"));
	token_form_add(&f, "b", SLICE("p&q=r s+%\xff\0\n"));
	assert_int_equal(f.len, strlen("a=plain-._9Z&b=p%26q%3Dr%20s%2B%25%FF%00%0A"));
	assert_memory_equal(f.text, "a=plain-._9Z&b=p%26q%3Dr%20s%2B%25%FF%00%0A", f.len);
	token_form_done(&f);
	assert_null(f.text);
}

static struct token_answer read_text(unsigned status, const char *text)
{
	struct token_answer a;
	token_answer_read(&a, status, slice_str(text));
	return a;
}

static void a_token_is_taken_as_it_is(void **state)
{
	struct token_answer a =
	        read_text(200, "{\"token_type\":\"bearer\",\"access_token\":\"e.y-J_~\",\"expires_in\":\"3599\"}");
	assert_int_equal(a.outcome, TOKEN_GOOD);
	assert_string_equal(a.token, "e.y-J_~");
	assert_int_equal(a.expires_in_s, 3599);
	token_answer_done(&a);
	a = read_text(200, "{\"token_type\":\"Bearer\",\"access_token\":\"t\",\"expires_in\":99999999999}");
	assert_int_equal(a.expires_in_s, 86400);
	token_answer_done(&a);
}

static void what_could_not_be_a_header_is_no_token(void **state)
{
	static const char *const texts[] = {
	        "",
	        "null",
	        "[]",
	        "{}",
	        "{\"token_type\":\"Bearer\",\"access_token\":\"\",\"expires_in\":3599}",
	        "{\"token_type\":\"Bearer\",\"access_token\":\"a\\r\\nX: y\",\"expires_in\":3599}",
	        "{\"token_type\":\"Bearer\",\"access_token\":\"a b\",\"expires_in\":3599}",
	        "{\"token_type\":\"Bearer\",\"access_token\":\"\xc3\xa9\",\"expires_in\":3599}",
	        "{\"token_type\":\"Bearer\",\"access_token\":\"a\",\"expires_in\":4}",
	        "{\"token_type\":\"Bearer\",\"access_token\":\"a\",\"expires_in\":-1}",
	        "{\"token_type\":\"Bearer\",\"access_token\":\"a\"}",
	        "{\"token_type\":\"pop\",\"access_token\":\"a\",\"expires_in\":3599}",
	        "{\"token_type\":\"Bearer\",\"access_token\":7,\"expires_in\":3599}",
	        "{\"token_type\":\"Bearer\",\"access_token\":\"a\",\"access_token\":\"b\",\"expires_in\":3599}",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct token_answer a = read_text(200, texts[i]);
		assert_int_equal(a.outcome, TOKEN_WAIT);
		assert_null(a.token);
		assert_non_null(strstr(a.advice, "login_url"));
	}
}

static void errors_are_told_with_advice(void **state)
{
	static const struct {
		unsigned status;
		const char *text;
		enum token_outcome outcome;
		uint32_t code;
		const char *advice;
	} cases[] = {
	        {401,
	         "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: Invalid client "
	         "secret\\r\\nTrace\"}",
	         TOKEN_FATAL, 7000215, "secret's id"},
	        {400, "{\"error\":\"x\",\"error_codes\":[90002]}", TOKEN_FATAL, 90002, "tenant"},
	        {401, "{\"error\":\"x\",\"error_codes\":[700024]}", TOKEN_CLOCK, 700024, "clock"},
	        {400, "{\"error\":\"x\",\"error_codes\":[50196]}", TOKEN_WAIT, 50196, "loop"},
	        {400, "{\"error\":\"odd\",\"error_description\":\"AADSTS1: new\"}", TOKEN_FATAL, 1,
	         "odd: AADSTS1: new"},
	        {400, "{\"error\":\"x\",\"error_description\":\"AADSTSx\",\"error_codes\":[-5]}", TOKEN_FATAL, 0,
	         "AADSTSx"},
	        {429, "", TOKEN_WAIT, 0, "429"},
	        {503, "<html>", TOKEN_WAIT, 0, "503"},
	        {302, "", TOKEN_WAIT, 0, "302"},
	        {403, "no", TOKEN_FATAL, 0, "403"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct token_answer a = read_text(cases[i].status, cases[i].text);
		assert_int_equal(a.outcome, cases[i].outcome);
		assert_int_equal(a.code, cases[i].code);
		if (!strstr(a.advice, cases[i].advice))
			fail_msg("%s", a.advice);
		assert_null(strchr(a.advice, '\n'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(values_are_encoded_whatever_is_in_them),
	        cmocka_unit_test(a_token_is_taken_as_it_is),
	        cmocka_unit_test(what_could_not_be_a_header_is_no_token),
	        cmocka_unit_test(errors_are_told_with_advice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
