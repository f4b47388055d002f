#include "proto/soap.h"
#include "proto/http_chars.h"
#include "proto/soap_readers.h"
#include "proto/xml_scan.h"

#define NAMESPACE_11 "http://schemas.xmlsoap.org/soap/envelope/"
#define NAMESPACE_12 "http://www.w3.org/2003/05/soap-envelope"

enum { DEPTH_MAX = 32 };

const struct slice soap_namespaces[2] = {
        [SOAP_11] = {NAMESPACE_11, sizeof(NAMESPACE_11) - 1},
        [SOAP_12] = {NAMESPACE_12, sizeof(NAMESPACE_12) - 1},
};

struct look {
	const struct slice *namespace; /* of Envelope */
	bool header_seen, in_body;
	struct slice child;
};

static enum xml_step on_envelope(struct look *l, const struct xml_element *e)
{
	for (size_t v = 0; v < 2; v++)
		if (slice_equal(e->namespace, soap_namespaces[v]))
			l->namespace = &soap_namespaces[v];
	return l->namespace && slice_equal(e->local, SLICE("Envelope")) ? XML_GO_ON : XML_REFUSE;
}

static enum xml_step on_part(struct look *l, const struct xml_element *e)
{
	if (!slice_equal(e->namespace, *l->namespace))
		return XML_REFUSE;
	l->in_body = slice_equal(e->local, SLICE("Body"));
	if (!l->in_body && (l->header_seen || !slice_equal(e->local, SLICE("Header"))))
		return XML_REFUSE;
	l->header_seen = true;
	return XML_GO_ON;
}

static enum xml_step on_open(void *arg, const struct xml_element *e)
{
	struct look *l = arg;
	if (e->depth == 0)
		return on_envelope(l, e);
	if (e->depth == 1)
		return on_part(l, e);
	if (!l->in_body)
		return XML_GO_ON;
	l->child = e->raw;
	return XML_STOP;
}

static enum xml_step on_close(void *arg, const struct xml_element *e)
{
	const struct look *l = arg;
	return e->depth == 1 && l->in_body ? XML_REFUSE : XML_GO_ON; /* a Body without a child */
}

enum soap_look soap_read_xml(struct slice bytes, struct slice *child)
{
	static const struct xml_events events = {on_open, on_close};
	struct look l = {0};
	switch (xml_scan(bytes, DEPTH_MAX, &events, &l)) {
	case XML_STOPPED:
		*child = l.child;
		return SOAP_FOUND;
	case XML_MORE:
		return SOAP_MORE;
	default:
		return SOAP_UNREADABLE;
	}
}

enum soap_look soap_first_child(const char *bytes, size_t n, bool complete, struct slice *child)
{
	struct slice start = slice_of(bytes, n < SOAP_LOOK_BYTES ? n : SOAP_LOOK_BYTES);
	enum soap_look look;
	switch (soap_read_prefix(start, child)) {
	case SOAP_SURE_FOUND:
		return SOAP_FOUND;
	case SOAP_SURE_MORE:
		look = SOAP_MORE;
		break;
	default:
		look = soap_read_xml(start, child);
	}
	return look == SOAP_MORE && (complete || start.len == SOAP_LOOK_BYTES) ? SOAP_UNREADABLE : look;
}

bool soap_content_type(struct slice content_type, enum soap_version *version)
{
	struct slice type = slice_trim(slice_until(content_type, slice_find(content_type, ';')));
	*version = slice_equal_nocase(type, SLICE("text/xml")) ? SOAP_11 : SOAP_12;
	return *version == SOAP_11 || slice_equal_nocase(type, SLICE("application/soap+xml"));
}

/* token or quoted-string at the start of *rest (RFC 9110 5.6.4); a backslash stays as it is: no action has one. */
static bool take_value(struct slice *rest, struct slice *value)
{
	size_t end = 0;
	if (rest->len && rest->at[0] == '"') {
		for (end = 1; end < rest->len && rest->at[end] != '"'; end++)
			if (rest->at[end] == '\\')
				end++;
		if (end >= rest->len)
			return false;
		*value = slice_of(rest->at + 1, end - 1);
		*rest = slice_from(*rest, end + 1);
		return true;
	}
	/* Clients forget the quotes around a URL: everything up to the next parameter is meant. */
	while (end < rest->len && !strchr("; \t\"", rest->at[end]))
		end++;
	*value = slice_until(*rest, end);
	*rest = slice_from(*rest, end);
	return end > 0;
}

struct slice soap12_action(struct slice content_type)
{
	const struct slice none = {NULL, 0}, broken = {"", 0};
	struct slice rest = slice_from(content_type, slice_find(content_type, ';')), found = none;
	while ((rest = slice_trim(rest)).len) {
		if (rest.at[0] != ';')
			return broken;
		rest = slice_trim(slice_from(rest, 1));
		if (rest.len == 0 || rest.at[0] == ';')
			continue;
		size_t end = 0;
		struct slice value;
		while (end < rest.len && http_char_is(rest.at[end], CHAR_TOKEN))
			end++;
		struct slice name = slice_until(rest, end);
		rest = slice_from(rest, end);
		if (end == 0 || rest.len == 0 || rest.at[0] != '=')
			return broken;
		rest = slice_from(rest, 1);
		if (!take_value(&rest, &value))
			return broken;
		if (!slice_equal_nocase(name, SLICE("action")))
			continue;
		if (found.at)
			return broken;
		found = value;
	}
	return found;
}

struct text {
	char *at, *end;
	bool full;
};

static void put(struct text *t, struct slice s)
{
	if ((size_t)(t->end - t->at) < s.len)
		t->full = true;
	else
		t->at = mempcpy(t->at, s.at, s.len);
}

/* Control bytes cannot be written in XML at all. */
static void put_escaped(struct text *t, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];
		put(t, c == '&'                           ? SLICE("&amp;")
		       : c == '<'                         ? SLICE("&lt;")
		       : c == '>'                         ? SLICE("&gt;")
		       : (c >= 0 && c < ' ') || c == 0x7f ? SLICE(" ")
		                                          : slice_of(&c, 1));
	}
}

#define START(namespace)                                                                                             \
	SLICE("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<soap:Envelope xmlns:soap=\"" namespace "\"><soap:Body><" \
	                                                                                           "soap:Fault>")

size_t soap_fault(char *out, size_t cap, enum soap_version version, const char *code, const char *text)
{
	struct text t = {out, out + cap, false};
	if (version == SOAP_11) {
		put(&t, START(NAMESPACE_11));
		put(&t, SLICE("<faultcode>soap:"));
		put_escaped(&t, slice_str(code));
		put(&t, SLICE("</faultcode><faultstring>"));
		put_escaped(&t, slice_str(text));
		put(&t, SLICE("</faultstring><detail/>"));
	} else {
		put(&t, START(NAMESPACE_12));
		put(&t, SLICE("<soap:Code><soap:Value>soap:"));
		put(&t, strcmp(code, "Client") == 0 ? SLICE("Sender") : SLICE("Receiver"));
		put(&t, SLICE("</soap:Value></soap:Code><soap:Reason><soap:Text xml:lang=\"en\">"));
		put_escaped(&t, slice_str(text));
		put(&t, SLICE("</soap:Text></soap:Reason><soap:Detail/>"));
	}
	put(&t, SLICE("</soap:Fault></soap:Body></soap:Envelope>"));
	return t.full ? 0 : (size_t)(t.at - out);
}
