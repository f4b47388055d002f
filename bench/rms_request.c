#include "bench/rms_request.h"

#include <expat.h>

#include <stdio.h>
#include <stdlib.h>

#define ENVELOPE_11 "http://schemas.xmlsoap.org/soap/envelope/"
#define ENVELOPE_12 "http://www.w3.org/2003/05/soap-envelope"
#define SEPARATOR   '\x01' /* between namespace and local name in what expat reports */

struct reading {
	XML_Parser parser;
	struct rms_request *r;
	unsigned depth;
	unsigned body_depth, header_depth; /* 0: not seen */
	uint32_t params;
	int certs;            /* kind of XrML that Certificate elements hold here, -1: none */
	unsigned certs_depth; /* of the element that said so */
	unsigned xrml_depth;  /* of the XrML element being skipped, 0: none */
	size_t xrml_at;
	bool in_text; /* collecting characters into r->texts */
	enum rms_item_kind text_kind;
	size_t text_at;
	char *version; /* where characters of VersionData go */
	bool failed;
};

static void stop(struct reading *in, const char *why)
{
	if (!in->failed)
		in->r->wrong = why;
	in->failed = true;
	XML_StopParser(in->parser, XML_FALSE);
}

static void add_item(struct reading *in, enum rms_item_kind kind, size_t at, size_t len)
{
	struct rms_request *r = in->r;
	if (r->item_count == RMS_ITEMS_MAX) {
		stop(in, "too many parts");
		return;
	}
	if (r->item_count == r->item_cap) {
		r->item_cap = r->item_cap ? r->item_cap * 2 : 64;
		r->items = reallocarray(r->items, r->item_cap, sizeof *r->items);
		CHECK(r->items);
	}
	r->items[r->item_count++] = (struct rms_item){.kind = kind, .params = in->params, .at = at, .len = len};
}

static void copy(char *out, size_t cap, struct slice s)
{
	snprintf(out, cap, "%.*s", SLICE_ARG(s));
}

static void take_text(struct reading *in, enum rms_item_kind kind)
{
	in->in_text = true;
	in->text_kind = kind;
	in->text_at = in->r->texts.len;
}

/* Inside the operation's element: the few names whose meaning does not depend on where they stand. */
static void operation_part(struct reading *in, struct slice name)
{
	static const struct {
		struct slice name;
		enum rms_item_kind kind;
	} lists[] = {
	        {SLICE("LicenseeCerts"), RMS_ITEM_LICENSEE},
	        {SLICE("PersonaCerts"), RMS_ITEM_LICENSEE},
	        {SLICE("IssuanceLicense"), RMS_ITEM_ISSUANCE},
	        {SLICE("MachineCertificateChain"), RMS_ITEM_MACHINE},
	        {SLICE("UnsignedIssuanceLicense"), RMS_ITEM_UNSIGNED},
	};
	static const struct {
		struct slice name;
		enum rms_item_kind kind;
	} texts[] = {
	        {SLICE("string"), RMS_ITEM_STRING},
	        {SLICE("Type"), RMS_ITEM_TYPE},
	        {SLICE("AdditionalInfo"), RMS_ITEM_ADDITIONAL},
	        {SLICE("Persistent"), RMS_ITEM_PERSISTENT},
	};
	if (slice_equal(name, SLICE("XrML")) && in->certs >= 0) {
		in->xrml_depth = in->depth;
		in->xrml_at = (size_t)XML_GetCurrentByteIndex(in->parser);
		return;
	}
	if (name.len > 6 && slice_equal(slice_from(name, name.len - 6), SLICE("Params")) &&
	    in->depth == in->body_depth + 3) { /* op / RequestParams / ...Params */
		in->params++;
		add_item(in, RMS_ITEM_PARAMS, 0, 0);
		return;
	}
	for (size_t i = 0; i < ARRAY_COUNT(lists); i++) {
		if (slice_equal(name, lists[i].name)) {
			in->certs = (int)lists[i].kind;
			in->certs_depth = in->depth;
		}
	}
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		if (slice_equal(name, texts[i].name))
			take_text(in, texts[i].kind);
	}
}

static void on_start(void *arg, const XML_Char *full, const XML_Char **attributes)
{
	struct reading *in = arg;
	struct rms_request *r = in->r;
	struct slice all = slice_str(full), ns = slice_until(all, slice_find(all, SEPARATOR));
	struct slice name = ns.len < all.len ? slice_from(all, ns.len + 1) : all;
	if (ns.len == all.len)
		ns = SLICE("");
	if (++in->depth > RMS_DEPTH_MAX) {
		stop(in, "elements nested too deep");
		return;
	}
	if (in->xrml_depth)
		return;
	if (in->depth == 1) {
		r->soap = slice_equal(ns, SLICE(ENVELOPE_12)) ? SOAP_12 : SOAP_11;
		if (!slice_equal(name, SLICE("Envelope")) ||
		    (r->soap == SOAP_11 && !slice_equal(ns, SLICE(ENVELOPE_11))))
			stop(in, "not a SOAP envelope");
	} else if (in->depth == 2) {
		if (slice_equal(name, SLICE("Body")))
			in->body_depth = in->depth;
		else if (slice_equal(name, SLICE("Header")))
			in->header_depth = in->depth;
	} else if (in->body_depth && in->depth == in->body_depth + 1) {
		if (r->name[0]) {
			stop(in, "two operations in one Body");
			return;
		}
		copy(r->name, sizeof r->name, name);
		copy(r->namespace, sizeof r->namespace, ns);
	} else if (in->body_depth) {
		operation_part(in, name);
	} else if (in->header_depth && in->depth == in->header_depth + 1) {
		r->has_version = r->has_version || slice_equal(name, SLICE("VersionData"));
	} else if (in->header_depth && in->depth == in->header_depth + 2) {
		in->version = slice_equal(name, SLICE("MinimumVersion"))   ? r->version_min
		              : slice_equal(name, SLICE("MaximumVersion")) ? r->version_max
		                                                           : NULL;
		if (in->version)
			in->version[0] = '\0';
	}
}

static void on_end(void *arg, const XML_Char *full)
{
	struct reading *in = arg;
	if (in->failed)
		return;
	if (in->xrml_depth == in->depth && in->xrml_depth) {
		size_t end = (size_t)XML_GetCurrentByteIndex(in->parser) + (size_t)XML_GetCurrentByteCount(in->parser);
		add_item(in, (enum rms_item_kind)in->certs, in->xrml_at, end - in->xrml_at);
		in->xrml_depth = 0;
	} else if (!in->xrml_depth) {
		if (in->in_text) {
			add_item(in, in->text_kind, in->text_at, in->r->texts.len - in->text_at);
			in->in_text = false;
		}
		if (in->certs >= 0 && in->depth == in->certs_depth)
			in->certs = -1;
		if (in->depth == in->body_depth)
			in->body_depth = 0;
		if (in->depth == in->header_depth)
			in->header_depth = 0;
		in->version = NULL;
	}
	in->depth--;
}

static void on_characters(void *arg, const XML_Char *s, int n)
{
	struct reading *in = arg;
	if (in->in_text && !in->xrml_depth && in->r->texts.len - in->text_at + (size_t)n <= 8192)
		text_add(&in->r->texts, slice_of(s, (size_t)n));
	if (in->version) {
		size_t used = strlen(in->version);
		snprintf(in->version + used, sizeof in->r->version_min - used, "%.*s", n, s);
	}
}

static void on_doctype(void *arg, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int internal)
{
	stop(arg, "a DOCTYPE is not allowed");
}

bool rms_request_read(struct rms_request *r, struct slice body)
{
	*r = (struct rms_request){.body = body};
	struct reading in = {.r = r, .certs = -1, .parser = XML_ParserCreateNS(NULL, SEPARATOR)};
	CHECK(in.parser);
	XML_SetUserData(in.parser, &in);
	XML_SetElementHandler(in.parser, on_start, on_end);
	XML_SetCharacterDataHandler(in.parser, on_characters);
	XML_SetStartDoctypeDeclHandler(in.parser, on_doctype);
	if (body.len > 64u << 20)
		r->wrong = "the message is larger than 64 MiB";
	else if (XML_Parse(in.parser, body.len ? body.at : "", (int)body.len, XML_TRUE) != XML_STATUS_OK && !in.failed)
		r->wrong = XML_ErrorString(XML_GetErrorCode(in.parser));
	else if (!in.failed && !r->name[0])
		r->wrong = "the Body is empty or missing";
	XML_ParserFree(in.parser);
	return r->wrong == NULL;
}

void rms_request_done(struct rms_request *r)
{
	free(r->items);
	text_free(&r->texts);
	*r = (struct rms_request){0};
}

struct slice rms_request_text(const struct rms_request *r, const struct rms_item *item)
{
	if (!item || !item->len)
		return SLICE("");
	bool xrml = item->kind >= RMS_ITEM_LICENSEE && item->kind <= RMS_ITEM_UNSIGNED;
	return slice_of((xrml ? r->body.at : r->texts.at) + item->at, item->len);
}

const struct rms_item *rms_request_next(const struct rms_request *r, size_t *at, enum rms_item_kind kind,
                                        uint32_t params)
{
	for (; *at < r->item_count; (*at)++) {
		const struct rms_item *item = &r->items[*at];
		if (item->kind == kind && (!params || item->params == params)) {
			(*at)++;
			return item;
		}
	}
	return NULL;
}
