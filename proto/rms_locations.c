#include "proto/rms_locations.h"

#include "core/base/check.h"
#include "proto/xml_scan.h"

#include <stdio.h>

enum { DEPTH_MAX = 16 };

static const struct {
	struct slice type;
	const char *path;
} rows[] = {
#define LOCATION(type, path) {{type, sizeof(type) - 1}, path},
#include "proto/rms_locations.def"
#undef LOCATION
};

/* Elements from the message's to a type's name; matched: how many of them are open now. */
static const struct slice way[] = {{"Envelope", 8},
                                   {"Body", 4},
                                   {"FindServiceLocations", 20},
                                   {"ServiceNames", 12},
                                   {"ServiceLocationRequest", 22},
                                   {"Type", 4}};

struct reading {
	struct slice message;
	struct rms_locations *out;
	unsigned matched;
	const char *wrong;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* The text behind the start tag whose name ends here, white space around it taken away: letters and digits with no markup in it, else empty. */
static struct slice text_behind(struct slice message, const char *name_end)
{
	const char *at = name_end, *end = message.at + message.len;
	while (at < end && is_space(*at))
		at++;
	if (at == end || *at++ != '>')
		return SLICE("");
	while (at < end && is_space(*at))
		at++;
	const char *begin = at;
	while (at < end && is_letter(*at))
		at++;
	struct slice text = slice_of(begin, (size_t)(at - begin));
	while (at < end && is_space(*at))
		at++;
	return end - at >= 2 && at[0] == '<' && at[1] == '/' ? text : SLICE("");
}

static enum xml_step refuse(struct reading *r, const char *wrong)
{
	r->wrong = wrong;
	return XML_REFUSE;
}

static enum xml_step on_type(struct reading *r, const struct xml_element *e)
{
	struct slice type = text_behind(r->message, e->raw.at + e->raw.len);
	if (r->out->count == LOCATIONS_MAX)
		return refuse(r, "it asks for more than 32 services");
	for (uint8_t i = 0; i < ARRAY_COUNT(rows); i++) {
		if (slice_equal(rows[i].type, type)) {
			r->out->rows[r->out->count++] = i;
			return XML_GO_ON;
		}
	}
	return refuse(r, "it asks for a service type that there is not");
}

static enum xml_step on_open(void *arg, const struct xml_element *e)
{
	struct reading *r = arg;
	if (e->depth != r->matched || e->depth >= ARRAY_COUNT(way) || !slice_equal(e->local, way[e->depth]))
		return XML_GO_ON;
	r->matched++;
	return r->matched == ARRAY_COUNT(way) ? on_type(r, e) : XML_GO_ON;
}

static enum xml_step on_close(void *arg, const struct xml_element *e)
{
	struct reading *r = arg;
	if (e->depth < r->matched)
		r->matched = e->depth;
	return XML_GO_ON;
}

const char *rms_locations_read(struct slice message, struct rms_locations *out)
{
	static const struct xml_events events = {on_open, on_close};
	struct reading r = {.message = message, .out = out};
	*out = (struct rms_locations){0};
	if (message.len > LOCATIONS_REQUEST_BYTES)
		return "it is longer than such questions are";
	if (xml_scan(message, DEPTH_MAX, &events, &r) != XML_WHOLE)
		return r.wrong ? r.wrong : "it is not XML that can be read";
	return out->count ? NULL : "it asks for no service";
}

size_t rms_locations_answer(const struct rms_locations *l, enum soap_version version, struct slice origin, char *out,
                            size_t cap)
{
	FILE *to = fmemopen(out, cap, "w");
	if (!to)
		return 0;
	fprintf(to,
	        "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope xmlns:soap=\"%s\"><soap:Header><VersionData "
	        "xmlns=\"http://microsoft.com/DRM/ServerService\"><MinimumVersion>1.0.0.0</"
	        "MinimumVersion><MaximumVersion>"
	        "1.2.0.0</MaximumVersion></VersionData></soap:Header><soap:Body><FindServiceLocationsResponse "
	        "xmlns=\"http://microsoft.com/DRM/ServerService\"><FindServiceLocationsResult>",
	        version == SOAP_12 ? "http://www.w3.org/2003/05/soap-envelope"
	                           : "http://schemas.xmlsoap.org/soap/envelope/");
	for (size_t i = 0; i < l->count; i++) {
		const char *path = rows[l->rows[i]].path;
		struct slice host = *path ? origin : SLICE("");
		fprintf(to, "<ServiceLocationResponse><URL>%.*s%s</URL><Type>%s</Type></ServiceLocationResponse>",
		        SLICE_ARG(host), path, rows[l->rows[i]].type.at);
	}
	fputs("</FindServiceLocationsResult></FindServiceLocationsResponse></soap:Body></soap:Envelope>", to);
	long len = ftell(to);
	bool fits = fclose(to) == 0 && len > 0 && (size_t)len < cap;
	return fits ? (size_t)len : 0;
}
