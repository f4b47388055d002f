/* F14: XML is read without a DTD, in UTF-8 only, to a bounded depth. */
#include "core/base/check.h"
#include "proto/xml_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* Writes what is reported: "+ns|local@depth" and "-local@depth". */
struct script {
	char text[512];
	const char *stop_at, *refuse_at;
};

static enum xml_step on_open(void *arg, const struct xml_element *e)
{
	struct script *s = arg;
	sprintf(s->text + strlen(s->text), "+%.*s|%.*s@%u", SLICE_ARG(e->namespace), SLICE_ARG(e->local), e->depth);
	assert_true(slice_equal(e->raw, e->local));
	if (s->stop_at && slice_equal(e->local, slice_str(s->stop_at)))
		return XML_STOP;
	return s->refuse_at && slice_equal(e->local, slice_str(s->refuse_at)) ? XML_REFUSE : XML_GO_ON;
}

static enum xml_step on_close(void *arg, const struct xml_element *e)
{
	struct script *s = arg;
	sprintf(s->text + strlen(s->text), "-%.*s@%u", SLICE_ARG(e->local), e->depth);
	return XML_GO_ON;
}

static const struct xml_events events = {on_open, on_close};

static enum xml_verdict scan(struct slice bytes, unsigned depth_max, struct script *s)
{
	char *copy = malloc(bytes.len ? bytes.len : 1);
	memcpy(copy, bytes.at, bytes.len);
	s->text[0] = 0;
	enum xml_verdict verdict = xml_scan(slice_of(copy, bytes.len), depth_max, &events, s);
	free(copy);
	return verdict;
}

#define XML(text)                      \
	{                              \
		text, sizeof(text) - 1 \
	}

static const struct {
	struct slice bytes;
	enum xml_verdict verdict;
	const char *script;
} cases[] = {
        {XML("<a/>"), XML_WHOLE, "+|a@0-a@0"},
        {XML("\xef\xbb\xbf<a/>"), XML_WHOLE, "+|a@0-a@0"},
        {XML("<a><p:b xmlns:p='n'/>t</a> <!-- -->"), XML_WHOLE, "+|a@0+n|b@1-b@1-a@0"},
        {XML("<a xmlns='n'><b xmlns=''/></a>"), XML_WHOLE, "+n|a@0+|b@1-b@1-a@0"},
        {XML(""), XML_MORE, ""},
        {XML("  "), XML_MORE, ""},
        {XML("<a><b/>"), XML_MORE, "+|a@0+|b@1-b@1"},
        {XML("<a><b"), XML_MORE, "+|a@0"},
        {XML("<a/><b/>"), XML_REFUSED, "+|a@0-a@0"},
        {XML("<a></b>"), XML_REFUSED, "+|a@0"},
        {XML("<p:a/>"), XML_REFUSED, ""},
        {XML("<a xmlns:p='n&#10;m'/>"), XML_REFUSED, ""},
        {XML("<!DOCTYPE a><a/>"), XML_REFUSED, ""},
        {XML("<!DOCTYPE a [<!ENTITY x '<b/>'>]><a>&x;</a>"), XML_REFUSED, ""},
        {XML("<a>&x;</a>"), XML_REFUSED, "+|a@0"},
        {XML("<?xml version='1.0' encoding='UTF-16'?><a/>"), XML_REFUSED, ""},
        {XML("<?xml version='1.0' encoding='windows-1252'?><a/>"), XML_REFUSED, ""},
        {XML("<?xml version='1.0' encoding='US-ASCII'?><a/>"), XML_WHOLE, "+|a@0-a@0"},
        {XML("<\0a\0/\0>\0"), XML_REFUSED, ""},
        {XML("\0<\0a\0/\0>"), XML_REFUSED, ""},
        {XML("\xff\xfe<\0a\0/\0>\0"), XML_REFUSED, ""},
        {XML("\xfe\xff\0<\0a\0/\0>"), XML_REFUSED, ""},
        {XML("<a>\xff</a>"), XML_REFUSED, "+|a@0"},
        {XML("<abc>\0</abc>"), XML_REFUSED, "+|abc@0"},
};

static void elements_are_reported_and_the_rest_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct script s = {0};
		enum xml_verdict verdict = scan(cases[i].bytes, 9, &s);
		if (verdict != cases[i].verdict || strcmp(s.text, cases[i].script) != 0)
			fail_msg("%.*s: %d %s", SLICE_ARG(cases[i].bytes), verdict, s.text);
	}
}

static void depth_is_bounded(void **state)
{
	struct script s = {0};
	assert_int_equal(scan((struct slice)XML("<a><b><c/></b><d/></a>"), 3, &s), XML_WHOLE);
	assert_int_equal(scan((struct slice)XML("<a><b><c/></b><d/></a>"), 2, &s), XML_REFUSED);
	assert_string_equal(s.text, "+|a@0+|b@1");
	assert_int_equal(scan((struct slice)XML("<a/>"), 0, &s), XML_REFUSED);
}

static void nothing_is_reported_after_stop_or_refuse(void **state)
{
	struct script s = {.stop_at = "b"};
	assert_int_equal(scan((struct slice)XML("<a><b/><c/></a>"), 9, &s), XML_STOPPED);
	assert_string_equal(s.text, "+|a@0+|b@1");
	/* What follows is not even looked at. */
	assert_int_equal(scan((struct slice)XML("<a><b/><<<"), 9, &s), XML_STOPPED);
	s = (struct script){.refuse_at = "b"};
	assert_int_equal(scan((struct slice)XML("<a><b/><c/></a>"), 9, &s), XML_REFUSED);
	assert_string_equal(s.text, "+|a@0+|b@1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(elements_are_reported_and_the_rest_refused),
	        cmocka_unit_test(depth_is_bounded),
	        cmocka_unit_test(nothing_is_reported_after_stop_or_refuse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
