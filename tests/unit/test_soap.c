/* F14: the first child of Body is found in every way to write an envelope, and nothing is said about what cannot be read safely. */
#include "core/base/check.h"
#include "proto/soap.h"
#include "proto/soap_readers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define DECL "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
#define N11  "http://schemas.xmlsoap.org/soap/envelope/"
#define N12  "http://www.w3.org/2003/05/soap-envelope"
#define ENV                                                                                              \
	"<soap:Envelope xmlns:soap=\"" N11 "\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" " \
	"xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\">"
#define VERSION                                                                            \
	"<VersionData xmlns=\"http://microsoft.com/DRM/LicensingService\">"                \
	"<MinimumVersion>1.1.0.0</MinimumVersion><MaximumVersion>1.1.0.0</MaximumVersion>" \
	"</VersionData>"
#define CHILD "<AcquireLicense xmlns=\"http://microsoft.com/DRM/LicensingService\">"
#define END   "</AcquireLicense></soap:Body></soap:Envelope>"
#define S_ENV "<s:Envelope xmlns:s=\"" N11 "\">"
#define D8    "<a><a><a><a><a><a><a><a>"
#define U8    "</a></a></a></a></a></a></a></a>"

enum by { FAST, SLOW, EITHER };

static const struct {
	const char *text;
	const char *child; /* NULL: unreadable */
	enum by by;        /* who must know it */
} cases[] = {
        /* What callers send: known without expat */
        {DECL ENV "<soap:Header>" VERSION "</soap:Header><soap:Body>" CHILD END, "AcquireLicense", FAST},
        {ENV "<soap:Body>" CHILD END, "AcquireLicense", FAST},
        {"\xef\xbb\xbf" DECL ENV "<soap:Body>" CHILD END, "AcquireLicense", FAST},
        {DECL ENV "<soap:Body><GetServerInfo xmlns=\"x\"/></soap:Body></soap:Envelope>", "GetServerInfo", FAST},
        {DECL ENV "\r\n  <soap:Header>\r\n " VERSION "\n</soap:Header>\n\t<soap:Body>\n " CHILD END, "AcquireLicense",
         FAST},
        {DECL "<soap:Envelope xmlns:soap='" N12
              "'><soap:Body><A xmlns='x' b='1'  c=\"2\" /></soap:Body></soap:Envelope>",
         "A", FAST},
        {S_ENV "<s:Body xmlns:xsi=\"i\" xmlns:xsd=\"d\"><q:Certify xmlns:q=\"n\"/></s:Body></s:Envelope>", "Certify",
         FAST},
        {"<Envelope xmlns=\"" N11 "\"><Body><Certify xmlns=\"n\"/></Body></Envelope>", "Certify", FAST},
        {S_ENV "<s:Header/><s:Body><A/></s:Body></s:Envelope>", "A", FAST},
        {S_ENV "<s:Header><a s:mustUnderstand=\"1\">t > t</a></s:Header><s:Body><A/></s:Body></s:Envelope>", "A", FAST},
        {"<?xml version=\"1.0\"?>" S_ENV "<s:Body><A/></s:Body></s:Envelope>", "A", FAST},
        /* Rarer ways: expat knows them */
        {"<?xml version='1.0' encoding='UTF-8' standalone='yes'?>" S_ENV "<s:Body><A/></s:Body></s:Envelope>", "A",
         SLOW},
        {"<?xml version='1.0' encoding='us-ascii'?>" S_ENV "<s:Body><A/></s:Body></s:Envelope>", "A", SLOW},
        {"<!-- a --><?pi b?>" S_ENV "<!-- c --><s:Body><!-- d --><?e?><A/></s:Body></s:Envelope>", "A", SLOW},
        {S_ENV "<s:Header><![CDATA[<s:Body><B/></s:Body>]]></s:Header><s:Body><A/></s:Body></s:Envelope>", "A", SLOW},
        {S_ENV "<s:Header><a>&lt;&#65;&amp;</a></s:Header><s:Body><A/></s:Body></s:Envelope>", "A", SLOW},
        {S_ENV "<s:Header><a>\xc3\xa4</a></s:Header><s:Body><A/></s:Body></s:Envelope>", "A", SLOW},
        {S_ENV "<s:Body><\xc3\xa4/></s:Body></s:Envelope>", "\xc3\xa4", SLOW},
        {S_ENV "<s:Header xmlns:a=\"b\"><a:c/></s:Header><s:Body><A/></s:Body></s:Envelope>", "A", SLOW},
        {S_ENV "<s:Header>" D8 U8 "</s:Header><s:Body><A/></s:Body></s:Envelope>", "A", SLOW},
        {S_ENV "<t:Body xmlns:t=\"" N11 "\"><A/></t:Body></s:Envelope>", "A", SLOW},
        {"<s:Envelope xmlns:s=\"&#x68;ttp://schemas.xmlsoap.org/soap/envelope/\"><s:Body><A/></s:Body></s:Envelope>",
         "A", SLOW},
        {"<s:Envelope xmlns:s = '" N11 "' ><s:Body id='1'><s:A/></s:Body ></s:Envelope>", "A", SLOW},
        {S_ENV "<s:Body>text <A/></s:Body></s:Envelope>", "A", SLOW},
        {S_ENV "<s:Header><s:Body><B/></s:Body></s:Header><s:Body><A/></s:Body></s:Envelope>", "A", EITHER},
        /* Not for us */
        {"<!DOCTYPE a>" S_ENV "<s:Body><A/></s:Body></s:Envelope>", NULL, EITHER},
        {"<!DOCTYPE a [<!ENTITY b \"<A/>\">]>" S_ENV "<s:Body>&b;</s:Body></s:Envelope>", NULL, EITHER},
        {DECL "<!DOCTYPE a SYSTEM \"http://x/\">" S_ENV "<s:Body><A/></s:Body></s:Envelope>", NULL, EITHER},
        {S_ENV "<s:Body>&b;<A/></s:Body></s:Envelope>", NULL, EITHER},
        {"<?xml version='1.0' encoding='utf-16'?>" S_ENV "<s:Body><A/></s:Body></s:Envelope>", NULL, EITHER},
        {"<?xml version='1.0' encoding='iso-8859-1'?>" S_ENV "<s:Body><A/></s:Body></s:Envelope>", NULL, EITHER},
        {"<?xml version='1.0' encoding='utf-7'?>" S_ENV "<s:Body><A/></s:Body></s:Envelope>", NULL, EITHER},
        {"\xff\xfe<\0", NULL, EITHER},
        {S_ENV "<s:Body><\xe4/></s:Body></s:Envelope>", NULL, EITHER},
        {S_ENV "<s:Body/></s:Envelope>", NULL, EITHER},
        {S_ENV "<s:Body>  </s:Body></s:Envelope>", NULL, EITHER},
        {S_ENV "<s:Header/></s:Envelope>", NULL, EITHER},
        {S_ENV "</s:Envelope>", NULL, EITHER},
        {S_ENV "<s:Header/><s:Header/><s:Body><A/></s:Body></s:Envelope>", NULL, EITHER},
        {S_ENV "<s:Other/><s:Body><A/></s:Body></s:Envelope>", NULL, EITHER},
        {S_ENV "<Body><A/></Body></s:Envelope>", NULL, EITHER},
        {S_ENV "<t:Body xmlns:t=\"" N12 "\"><A/></t:Body></s:Envelope>", NULL, EITHER},
        {"<s:Envelope xmlns:s=\"urn:x\"><s:Body><A/></s:Body></s:Envelope>", NULL, EITHER},
        {"<s:Enveloppe xmlns:s=\"" N11 "\"><s:Body><A/></s:Body></s:Enveloppe>", NULL, EITHER},
        {"<s:Envelope><s:Body><A/></s:Body></s:Envelope>", NULL, EITHER},
        {"<a>" S_ENV "<s:Body><A/></s:Body></s:Envelope></a>", NULL, EITHER},
        {S_ENV "<s:Body><x:A/></s:Body></s:Envelope>", NULL, EITHER},
        {S_ENV "<s:Body><A b='1' b='2'/></s:Body></s:Envelope>", NULL, EITHER},
        {S_ENV "<s:Header><a></b></s:Header><s:Body><A/></s:Body></s:Envelope>", NULL, EITHER},
        {S_ENV "<s:Header>]]></s:Header><s:Body><A/></s:Body></s:Envelope>", NULL, EITHER},
        {S_ENV "<s:Header><a b=<></s:Header><s:Body><A/></s:Body></s:Envelope>", NULL, EITHER},
        {S_ENV "<s:Header>" D8 D8 D8 D8 U8 U8 U8 U8 "</s:Header><s:Body><A/></s:Body></s:Envelope>", NULL, EITHER},
        {" " DECL S_ENV "<s:Body><A/></s:Body></s:Envelope>", NULL, EITHER},
        {"POST / HTTP/1.1", NULL, EITHER},
        {"{\"a\":1}", NULL, EITHER},
};

static bool is_child(struct slice child, const char *want)
{
	return want && slice_equal(child, slice_str(want));
}

static void first_children_are_found_in_any_envelope(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct slice child = {0};
		size_t n = strlen(cases[i].text) + (cases[i].text[0] == '\xff');
		enum soap_look look = soap_first_child(cases[i].text, n, true, &child);
		if (look != (cases[i].child ? SOAP_FOUND : SOAP_UNREADABLE) ||
		    (cases[i].child && !is_child(child, cases[i].child)))
			fail_msg("%s: %d %.*s", cases[i].text, look, SLICE_ARG(child));
		if (look == SOAP_FOUND)
			assert_true(child.at > cases[i].text && child.at < cases[i].text + n);
		enum soap_guess guess = soap_read_prefix(slice_of(cases[i].text, n), &child);
		if ((cases[i].by == FAST && guess != SOAP_SURE_FOUND) || (cases[i].by == SLOW && guess != SOAP_UNSURE))
			fail_msg("%s: the prefix matcher says %d", cases[i].text, guess);
	}
}

/* Every prefix of every case, by both readers: where the matcher is sure, expat says the same; and an answer does not change when more comes. */
static void readers_agree_on_every_prefix(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		size_t len = strlen(cases[i].text);
		enum soap_look before = SOAP_MORE;
		for (size_t n = 0; n <= len; n++) {
			char *copy = malloc(n ? n : 1);
			struct slice fast = {0}, slow = {0}, bytes = slice_of(copy, n);
			memcpy(copy, cases[i].text, n);
			enum soap_guess guess = soap_read_prefix(bytes, &fast);
			enum soap_look look = soap_read_xml(bytes, &slow);
			if ((guess == SOAP_SURE_FOUND && (look != SOAP_FOUND || !slice_equal(fast, slow))) ||
			    (guess == SOAP_SURE_MORE && look != SOAP_MORE))
				fail_msg("%.*s: %d and %d", (int)n, copy, guess, look);
			assert_true(before == SOAP_MORE || look == before);
			before = look;
			free(copy);
		}
	}
}

static void more_is_asked_for_until_the_childs_tag_ends(void **state)
{
	const char *text = DECL ENV "<soap:Header>" VERSION "</soap:Header><soap:Body>" CHILD END;
	size_t enough = (size_t)(strstr(text, CHILD) + strlen(CHILD) - text);
	for (size_t n = 0; n <= strlen(text); n++) {
		struct slice child;
		assert_int_equal(soap_first_child(text, n, false, &child), n < enough ? SOAP_MORE : SOAP_FOUND);
		assert_int_equal(soap_first_child(text, n, true, &child), n < enough ? SOAP_UNREADABLE : SOAP_FOUND);
	}
}

static void nothing_is_looked_at_behind_16_kib(void **state)
{
	for (int pad = SOAP_LOOK_BYTES - 200; pad < SOAP_LOOK_BYTES + 200; pad++) {
		static char text[SOAP_LOOK_BYTES + 1024];
		struct slice child;
		int tag_end = sprintf(text, S_ENV "<s:Header>%*s</s:Header><s:Body><A>", pad, "");
		strcat(text, "</A></s:Body></s:Envelope>");
		enum soap_look want = tag_end <= SOAP_LOOK_BYTES ? SOAP_FOUND : SOAP_UNREADABLE;
		assert_int_equal(soap_first_child(text, strlen(text), false, &child), want);
		assert_int_equal(soap_first_child(text, strlen(text), true, &child), want);
	}
}

static void content_types_tell_the_version(void **state)
{
	static const struct {
		const char *type;
		int version; /* -1: not SOAP */
	} types[] = {
	        {"text/xml", SOAP_11},
	        {"text/xml; charset=utf-8", SOAP_11},
	        {"TEXT/XML ;charset=\"utf-8\"", SOAP_11},
	        {"text/xml;", SOAP_11},
	        {"application/soap+xml; charset=utf-8; action=\"x\"", SOAP_12},
	        {"Application/SOAP+XML", SOAP_12},
	        {"", -1},
	        {"text/xmlx", -1},
	        {"text/html", -1},
	        {"application/xml", -1},
	        {"text/xml, text/xml", -1},
	        {"application/json; text/xml", -1},
	        {"multipart/related; type=\"text/xml\"", -1},
	};
	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		enum soap_version version;
		bool is_soap = soap_content_type(slice_str(types[i].type), &version);
		assert_int_equal(is_soap ? (int)version : -1, types[i].version);
	}
}

static void actions_are_read_from_content_types(void **state)
{
	static const struct {
		const char *type, *action; /* NULL: none; "": broken */
	} types[] = {
	        {"application/soap+xml", NULL},
	        {"application/soap+xml; charset=utf-8", NULL},
	        {"application/soap+xml;", NULL},
	        {"application/soap+xml; charset=utf-8; action=\"http://a/b\"", "http://a/b"},
	        {"application/soap+xml;ACTION=\"http://a/b\";charset=\"utf-8\"", "http://a/b"},
	        {"application/soap+xml ; action=http://a/b ; charset=utf-8", "http://a/b"},
	        {"application/soap+xml;; action=x", "x"},
	        {"application/soap+xml; x=\"; action=y\"; action=z", "z"},
	        {"application/soap+xml; x=\"\\\"; action=y\"; action=z", "z"},
	        {"application/soap+xml; reaction=\"x\"", NULL},
	        {"application/soap+xml; action=\"\"", ""},
	        {"application/soap+xml; action=", ""},
	        {"application/soap+xml; action", ""},
	        {"application/soap+xml; action =x", ""},
	        {"application/soap+xml; action= x", ""},
	        {"application/soap+xml; action=\"x", ""},
	        {"application/soap+xml; action=\"x\\", ""},
	        {"application/soap+xml; action=\"x\"y", ""},
	        {"application/soap+xml; action=x; action=x", ""},
	        {"application/soap+xml; action=x y", ""},
	        {"application/soap+xml; =x", ""},
	};
	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		struct slice action = soap12_action(slice_str(types[i].type));
		bool same = types[i].action ? action.at && slice_equal(action, slice_str(types[i].action)) : !action.at;
		if (!same)
			fail_msg("%s: %.*s", types[i].type, SLICE_ARG(action));
	}
}

static void faults_are_whole_and_escaped(void **state)
{
	char out[1024];
	const char *want11 = DECL "<soap:Envelope xmlns:soap=\"" N11 "\"><soap:Body><soap:Fault><faultcode>soap:Client"
	                          "</faultcode><faultstring>a &lt;b&gt; &amp; \"c\" \xc3\xa4</faultstring><detail/>"
	                          "</soap:Fault></soap:Body></soap:Envelope>";
	const char *want12 = DECL "<soap:Envelope xmlns:soap=\"" N12 "\"><soap:Body><soap:Fault><soap:Code><soap:Value>"
	                          "soap:Receiver</soap:Value></soap:Code><soap:Reason><soap:Text xml:lang=\"en\">a b"
	                          "</soap:Text></soap:Reason><soap:Detail/></soap:Fault></soap:Body></soap:Envelope>";
	size_t n = soap_fault(out, sizeof(out), SOAP_11, "Client", "a <b> & \"c\" \xc3\xa4");
	assert_true(slice_equal(slice_of(out, n), slice_str(want11)));
	n = soap_fault(out, sizeof(out), SOAP_12, "Server",
	               "a\x01"
	               "b");
	assert_true(slice_equal(slice_of(out, n), slice_str(want12)));
	n = soap_fault(out, sizeof(out), SOAP_12, "Client", "a");
	assert_non_null(memmem(out, n, "soap:Sender", 11));
	for (size_t cap = 0; cap < strlen(want12); cap++) {
		char *exact = malloc(cap ? cap : 1);
		assert_int_equal(soap_fault(exact, cap, SOAP_12, "Server", "a b"), 0);
		free(exact);
	}
	assert_int_equal(soap_fault(out, strlen(want12), SOAP_12, "Server", "a b"), strlen(want12));
}

static void our_own_faults_can_be_read(void **state)
{
	char out[1024];
	struct slice child;
	for (enum soap_version v = SOAP_11; v <= SOAP_12; v++) {
		size_t n = soap_fault(out, sizeof(out), v, "Client", "<&>");
		assert_int_equal(soap_first_child(out, n, true, &child), SOAP_FOUND);
		assert_true(is_child(child, "Fault"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(first_children_are_found_in_any_envelope),
	        cmocka_unit_test(readers_agree_on_every_prefix),
	        cmocka_unit_test(more_is_asked_for_until_the_childs_tag_ends),
	        cmocka_unit_test(nothing_is_looked_at_behind_16_kib),
	        cmocka_unit_test(content_types_tell_the_version),
	        cmocka_unit_test(actions_are_read_from_content_types),
	        cmocka_unit_test(faults_are_whole_and_escaped),
	        cmocka_unit_test(our_own_faults_can_be_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
