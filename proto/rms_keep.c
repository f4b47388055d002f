#include "proto/rms_keep.h"

#include "core/base/check.h"
#include "proto/soap_readers.h"
#include "proto/xml_scan.h"

enum { DEPTH_MAX = 64, TIME_LEN = 16 };

/* What an element is to us, for each that is open: what lies in it is told by its parents. */
enum part { PART_OTHER, PART_XRML, PART_BODY, PART_DESCRIPTOR, PART_TIMES };

struct reading {
	const struct rms_op *op;
	struct slice bytes;
	int64_t now_s;
	const struct slice *soap; /* namespace of Envelope */
	uint8_t parts[DEPTH_MAX];
	unsigned children; /* of Body */
	bool in_body;
	unsigned xrml_depth; /* of the XrML element that is open; 0: none */
	/* Of that one; its times come before what it is */
	bool is_licensor, time_unread, begins_later;
	int64_t until_s; /* 0: no end was read */
	/* Of the whole answer */
	bool unsure, over;
	unsigned xrmls, licensors, templates;
	int64_t ends_s; /* the earliest end of the tenant's certificates */
};

/* ---- text inside tags, out of the bytes as they came ---- */

static bool two_digits(const char *at, unsigned low, unsigned high, unsigned *out)
{
	if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
		return false;
	*out = (unsigned)(at[0] - '0') * 10 + (unsigned)(at[1] - '0');
	return *out >= low && *out <= high;
}

/* Days since 1970 of a day of the Gregorian calendar: years begin in March, so that the odd day is the last of one. */
static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
	unsigned y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
	return (int64_t)y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/* YYYY-MM-DDThh:mm, UTC; nothing else. */
static bool read_time(struct slice t, int64_t *out)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	unsigned century, year, month, day, hour, minute;
	if (t.len != TIME_LEN || t.at[4] != '-' || t.at[7] != '-' || t.at[10] != 'T' || t.at[13] != ':' ||
	    !two_digits(t.at, 16, 99, &century) || !two_digits(t.at + 2, 0, 99, &year) ||
	    !two_digits(t.at + 5, 1, 12, &month) || !two_digits(t.at + 8, 1, 31, &day) ||
	    !two_digits(t.at + 11, 0, 23, &hour) || !two_digits(t.at + 14, 0, 59, &minute))
		return false;
	year += century * 100;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	if (day > days[month - 1] + (month == 2 && leap ? 1u : 0u))
		return false;
	*out = ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60;
	return true;
}

/* What stands behind the element's name, up to the end of its tag. */
static struct slice rest_of_tag(const struct reading *r, const struct xml_element *e)
{
	size_t at = (size_t)(e->raw.at - r->bytes.at) + e->raw.len;
	struct slice rest = slice_from(r->bytes, at);
	return slice_until(rest, slice_find(rest, '>'));
}

/* <UNTIL>time</UNTIL>, without attributes or anything else in it. */
static bool time_inside(const struct reading *r, const struct xml_element *e, int64_t *out)
{
	struct slice tag = rest_of_tag(r, e);
	if (e->raw.len == 0 || tag.len)
		return false;
	struct slice text = slice_from(r->bytes, (size_t)(tag.at - r->bytes.at) + 1);
	size_t end = slice_find(text, '<');
	return slice_starts_with(slice_from(text, end), SLICE("</")) &&
	       read_time(slice_trim(slice_until(text, end)), out);
}

static bool has_type(const struct reading *r, const struct xml_element *e, struct slice type)
{
	static const char name[] = "type=\"";
	struct slice tag = rest_of_tag(r, e);
	for (size_t i = 0; e->raw.len && i + sizeof(name) - 1 + type.len < tag.len; i++) {
		struct slice here = slice_from(tag, i + 1);
		if (!strchr(" \t\r\n", tag.at[i]) || !slice_starts_with(here, SLICE(name)))
			continue;
		here = slice_from(here, sizeof(name) - 1);
		return slice_starts_with(here, type) && slice_starts_with(slice_from(here, type.len), SLICE("\""));
	}
	return false;
}

/* ---- certificates ---- */

static void on_time(struct reading *r, const struct xml_element *e)
{
	int64_t time_s;
	bool until = slice_equal(e->local, SLICE("UNTIL"));
	if (!until && !slice_equal(e->local, SLICE("FROM")))
		return;
	if (!time_inside(r, e, &time_s))
		r->time_unread = true;
	else if (!until)
		r->begins_later |= time_s > r->now_s;
	else if (r->until_s == 0 || time_s < r->until_s)
		r->until_s = time_s;
}

static enum part on_certificate_part(struct reading *r, const struct xml_element *e)
{
	enum part parent = r->parts[e->depth - 1];
	if (parent == PART_XRML && slice_equal(e->local, SLICE("BODY")))
		return PART_BODY;
	if (parent == PART_BODY && slice_equal(e->local, SLICE("DESCRIPTOR")))
		return PART_DESCRIPTOR;
	if (parent == PART_DESCRIPTOR && slice_equal(e->local, SLICE("OBJECT")))
		r->is_licensor |= has_type(r, e, SLICE("Server-Licensor-Certificate"));
	if ((parent == PART_BODY && slice_equal(e->local, SLICE("VALIDITYTIME"))) ||
	    slice_equal(e->local, SLICE("RANGETIME")))
		return PART_TIMES;
	if (parent == PART_TIMES)
		on_time(r, e);
	return PART_OTHER;
}

static void certificate_over(struct reading *r)
{
	r->xrml_depth = 0;
	if (!r->is_licensor)
		return;
	r->licensors++;
	r->unsure |= r->until_s == 0 || r->time_unread;
	r->over |= r->begins_later;
	if (r->until_s && (r->ends_s == 0 || r->until_s < r->ends_s))
		r->ends_s = r->until_s;
}

/* ---- the message ---- */

static bool ends_with(struct slice s, struct slice end)
{
	return s.len >= end.len && slice_equal(slice_from(s, s.len - end.len), end);
}

static bool tells_of_a_failure(struct slice name)
{
	return memmem(name.at, name.len, "Exception", 9) || slice_equal(name, SLICE("Fault"));
}

static bool is_soap(struct reading *r, const struct xml_element *e)
{
	if (e->depth == 0)
		for (size_t v = 0; v < 2; v++)
			if (slice_equal(e->namespace, soap_namespaces[v]))
				r->soap = &soap_namespaces[v];
	return r->soap && slice_equal(e->namespace, *r->soap);
}

/* Of Envelope, its parts, and the child of Body. */
static bool belongs(struct reading *r, const struct xml_element *e)
{
	if (e->depth == 0)
		return is_soap(r, e) && slice_equal(e->local, SLICE("Envelope"));
	if (e->depth == 1) {
		if (r->in_body || !is_soap(r, e))
			return false;
		r->in_body = slice_equal(e->local, SLICE("Body"));
		return r->in_body || slice_equal(e->local, SLICE("Header"));
	}
	if (e->depth > 2 || !r->in_body)
		return true;
	return ++r->children == 1 && slice_starts_with(e->namespace, SLICE("http://microsoft.com/DRM/")) &&
	       e->local.len == r->op->name.len + sizeof("Response") - 1 && slice_starts_with(e->local, r->op->name) &&
	       ends_with(e->local, SLICE("Response"));
}

static enum xml_step on_open(void *arg, const struct xml_element *e)
{
	struct reading *r = arg;
	enum part part = PART_OTHER;
	if (!belongs(r, e) || tells_of_a_failure(e->local))
		return XML_REFUSE;
	if (r->xrml_depth) {
		part = on_certificate_part(r, e);
	} else if (slice_equal(e->local, SLICE("XrML")) && e->depth) {
		part = PART_XRML;
		r->xrml_depth = e->depth;
		r->is_licensor = r->time_unread = r->begins_later = false;
		r->until_s = 0;
		r->xrmls++;
	} else if (slice_equal(e->local, SLICE("GuidHash"))) {
		r->templates++;
	}
	r->parts[e->depth] = (uint8_t)part;
	return XML_GO_ON;
}

static enum xml_step on_close(void *arg, const struct xml_element *e)
{
	struct reading *r = arg;
	if (r->xrml_depth && e->depth == r->xrml_depth)
		certificate_over(r);
	return XML_GO_ON;
}

static const struct {
	bool kept;
	uint32_t fresh_s, stale_s;
} rows[OP_COUNT] = {
#define RMS_KEEP(op, fresh_s, stale_s) [OP_##op] = {true, fresh_s, stale_s},
#include "proto/rms_keep.def"
};

static uint32_t at_most(uint32_t seconds, int64_t left)
{
	return left < (int64_t)seconds ? (uint32_t)left : seconds;
}

bool rms_keep_for(const struct rms_op *op, struct slice body, int64_t now_s, struct rms_keep *out)
{
	static const struct xml_events events = {on_open, on_close};
	struct reading r = {.op = op, .bytes = body, .now_s = now_s};
	if (!rows[op->id].kept || xml_scan(body, DEPTH_MAX, &events, &r) != XML_WHOLE || r.children != 1)
		return false;
	if (r.over || (r.ends_s && r.ends_s <= now_s) || (op->id == OP_GET_LICENSOR_CERTIFICATE && r.xrmls == 0))
		return false;
	/* A certificate as escaped text would be one whose end we do not see; templates are such text, and have no end of the tenant's. */
	bool hidden = op->id != OP_ACQUIRE_TEMPLATES && memmem(body.at, body.len, "&lt;XrML", 8);
	bool brief = r.unsure || hidden || (r.xrmls && !r.licensors) ||
	             (op->id == OP_ACQUIRE_TEMPLATE_INFORMATION && r.templates == 0);
	*out = (struct rms_keep){rows[op->id].fresh_s, brief ? 0 : rows[op->id].stale_s};
	if (brief && out->fresh_s > RMS_KEEP_SHORT_S)
		out->fresh_s = RMS_KEEP_SHORT_S;
	if (r.ends_s) {
		out->fresh_s = at_most(out->fresh_s, r.ends_s - now_s);
		out->stale_s = at_most(out->stale_s, r.ends_s - now_s - out->fresh_s);
	}
	return true;
}
