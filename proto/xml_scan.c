#include "proto/xml_scan.h"

#include <expat.h>

/* Between namespace and local name in what expat reports. A line feed cannot be in a namespace: expat refuses one written as a reference. */
enum { SEPARATOR = '\n' };

struct scan {
	XML_Parser parser;
	struct slice bytes;
	const struct xml_events *events;
	void *arg;
	unsigned depth, depth_max;
	enum xml_step step; /* once not XML_GO_ON, nothing is reported any more */
};

static void stop(struct scan *s, enum xml_step step)
{
	if (step == XML_GO_ON || s->step != XML_GO_ON)
		return;
	s->step = step;
	XML_StopParser(s->parser, XML_FALSE);
}

static struct xml_element element_of(const char *name, unsigned depth)
{
	const char *separator = strrchr(name, SEPARATOR);
	struct xml_element e = {.local = slice_str(separator ? separator + 1 : name), .depth = depth};
	e.namespace = slice_of(name, separator ? (size_t)(separator - name) : 0);
	return e;
}

/* Expat points at the tag's '<'. The bytes are the sender's own, so the prefix is still there. */
static struct slice raw_local(const struct scan *s, size_t local_len)
{
	XML_Index at = XML_GetCurrentByteIndex(s->parser);
	if (at < 0 || (size_t)at >= s->bytes.len)
		return slice_of(s->bytes.at, 0);
	struct slice tag = slice_from(s->bytes, (size_t)at + 1);
	size_t end = 0;
	while (end < tag.len && !strchr(" \t\r\n/>", tag.at[end]))
		end++;
	tag = slice_until(tag, end);
	size_t colon = slice_find(tag, ':');
	return slice_until(colon < tag.len ? slice_from(tag, colon + 1) : tag, local_len);
}

static void on_open(void *arg, const char *name, const char **attributes)
{
	struct scan *s = arg;
	if (s->step != XML_GO_ON)
		return;
	if (s->depth == s->depth_max) {
		stop(s, XML_REFUSE);
		return;
	}
	struct xml_element e = element_of(name, s->depth++);
	e.raw = raw_local(s, e.local.len);
	if (s->events->on_open)
		stop(s, s->events->on_open(s->arg, &e));
}

static void on_close(void *arg, const char *name)
{
	struct scan *s = arg;
	if (s->step != XML_GO_ON)
		return;
	struct xml_element e = element_of(name, --s->depth);
	if (s->events->on_close)
		stop(s, s->events->on_close(s->arg, &e));
}

static void on_doctype(void *arg, const char *name, const char *system, const char *public, int has_internal_subset)
{
	stop(arg, XML_REFUSE);
}

static void on_declaration(void *arg, const char *version, const char *encoding, int standalone)
{
	if (encoding && strcasecmp(encoding, "utf-8") != 0 && strcasecmp(encoding, "us-ascii") != 0)
		stop(arg, XML_REFUSE);
}

/* UTF-16 is found out by expat without any declaration; every way to write it has a NUL or a byte order mark in its first bytes. */
static bool looks_like_utf16(struct slice bytes)
{
	struct slice start = slice_until(bytes, 4);
	return slice_find(start, 0) < start.len || slice_starts_with(start, SLICE("\xff\xfe")) ||
	       slice_starts_with(start, SLICE("\xfe\xff"));
}

enum xml_verdict xml_scan(struct slice bytes, unsigned depth_max, const struct xml_events *events, void *arg)
{
	struct scan s = {.bytes = bytes, .events = events, .arg = arg, .depth_max = depth_max};
	if (looks_like_utf16(bytes) || bytes.len > INT32_MAX)
		return XML_REFUSED;
	s.parser = XML_ParserCreateNS(NULL, SEPARATOR);
	if (!s.parser)
		return XML_REFUSED;
	XML_SetUserData(s.parser, &s);
	XML_SetElementHandler(s.parser, on_open, on_close);
	XML_SetStartDoctypeDeclHandler(s.parser, on_doctype);
	XML_SetXmlDeclHandler(s.parser, on_declaration);
	enum XML_Status status = XML_Parse(s.parser, bytes.at, (int)bytes.len, XML_FALSE);
	bool whole = status == XML_STATUS_OK && s.depth == 0 && XML_Parse(s.parser, NULL, 0, XML_TRUE) == XML_STATUS_OK;
	XML_ParserFree(s.parser);
	if (s.step != XML_GO_ON)
		return s.step == XML_STOP ? XML_STOPPED : XML_REFUSED;
	if (status != XML_STATUS_OK)
		return XML_REFUSED;
	return whole ? XML_WHOLE : XML_MORE;
}
