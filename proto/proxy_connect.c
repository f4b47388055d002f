#include "proto/proxy_connect.h"

#include "core/base/address.h"
#include "core/base/address_list.h"
#include "proto/base64.h"
#include "proto/http_chars.h"
#include "proto/http_parse.h"
#include "proto/uri.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- what is asked ---- */

/* base64 of "user:password", at the end of what out holds. false: no memory. */
static bool add_basic(char *out, struct slice user, struct slice password, size_t *len)
{
	size_t n = user.len + 1 + password.len;
	char *both = malloc(n);
	if (!both)
		return false;
	memcpy(both, user.at, user.len);
	both[user.len] = ':';
	if (password.len)
		memcpy(both + user.len + 1, password.at, password.len);
	*len += base64_encode(slice_of(both, n), out + *len);
	explicit_bzero(both, n);
	free(both);
	return true;
}

char *proxy_connect_make(const char *host, uint16_t port, struct slice user, struct slice password, size_t *len)
{
	char place[280];
	bool v6 = strchr(host, ':') != NULL;
	snprintf(place, sizeof(place), "%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "", port);
	size_t cap = 2 * strlen(place) + base64_len(user.len + 1 + password.len) + 128;
	char *out = malloc(cap);
	if (!out)
		return NULL;
	*len = (size_t)snprintf(out, cap, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", place, place);
	if (user.len) {
		*len += (size_t)snprintf(out + *len, cap - *len, "Proxy-Authorization: Basic ");
		if (!add_basic(out, user, password, len)) {
			free(out);
			return NULL;
		}
		*len += (size_t)snprintf(out + *len, cap - *len, "\r\n");
	}
	*len += (size_t)snprintf(out + *len, cap - *len, "\r\n");
	return out;
}

/* ---- what is answered ---- */

static enum proxy_answer refused(struct proxy_reader *r, const char *words)
{
	snprintf(r->words, sizeof(r->words), "%s", words);
	return PROXY_REFUSED;
}

struct schemes {
	char text[128]; /* "Negotiate, Basic" */
	bool basic;
};

/* A challenge begins with a word that is followed by no '=' (RFC 9110 11.6.1); its parameters have one. */
static void add_schemes(struct schemes *s, struct slice value)
{
	while (value.len) {
		size_t comma = slice_find(value, ','), n = 0, have = strlen(s->text);
		struct slice part = slice_trim(slice_until(value, comma));
		value = slice_from(value, comma < value.len ? comma + 1 : comma);
		while (n < part.len && http_char_is(part.at[n], CHAR_TOKEN))
			n++;
		if (n == 0 || n > 32 || (n < part.len && part.at[n] != ' '))
			continue;
		s->basic |= slice_equal_nocase(slice_until(part, n), SLICE("Basic"));
		snprintf(s->text + have, sizeof(s->text) - have, "%s%.*s", have ? ", " : "", (int)n, part.at);
	}
}

static enum proxy_answer wants_credentials(struct proxy_reader *r, const struct http_head *h)
{
	struct schemes s = {0};
	for (size_t i = 0; i < h->header_count; i++)
		if (h->headers[i].id == HDR_PROXY_AUTHENTICATE || h->headers[i].id == HDR_WWW_AUTHENTICATE)
			add_schemes(&s, h->headers[i].value);
	bool refuses_ours = r->with_credentials && (s.basic || !s.text[0]);
	snprintf(r->words, sizeof(r->words), "the web proxy wants credentials (%u), by %s: %s", h->status,
	         s.text[0] ? s.text : "no scheme that it names",
	         refuses_ours ? "it refused those of proxy.user and proxy.password_file"
	         : s.basic    ? "give proxy.user and proxy.password_file"
	                      : "the node can give Basic only. Let this machine through without, or with Basic");
	return PROXY_REFUSED;
}

static enum proxy_answer judge(struct proxy_reader *r, const struct http_head *h)
{
	const char *advice = h->status < 400 ? "a redirect, which is never followed"
	                     : h->status == 403 || h->status == 405
	                             ? "its rules must allow CONNECT to this host and port"
	                     : h->status == 503 || h->status == 502 || h->status == 504
	                             ? "it could not reach this host itself: look at its name service and its firewall"
	                             : "look into the log of the web proxy";
	if (h->status == 407 || h->status == 401) /* tinyproxy says 401 to wrong ones */
		return wants_credentials(r, h);
	char reason[64];
	size_t n = h->reason.len < sizeof(reason) - 1 ? h->reason.len : sizeof(reason) - 1;
	for (size_t i = 0; i < n; i++)
		reason[i] = h->reason.at[i];
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)reason[i] < ' ' || (unsigned char)reason[i] > '~')
			reason[i] = '?';
	snprintf(r->words, sizeof(r->words), "the web proxy answered CONNECT with %u%s%.*s: %s", h->status,
	         n ? " " : "", (int)n, reason, advice);
	return PROXY_REFUSED;
}

enum proxy_answer proxy_reader_take(struct proxy_reader *r, const char *bytes, size_t n)
{
	static const struct guard_limits limits = {PROXY_ANSWER_MAX, PROXY_ANSWER_MAX};
	enum guard_reason why = GUARD_FINE;
	struct http_head head;
	size_t room = sizeof(r->bytes) - r->len;
	memcpy(r->bytes + r->len, bytes, n < room ? n : room);
	r->len += n < room ? n : room;
	for (;;) {
		long len = http_guard_answer(r->bytes, r->len, &r->scanned, &limits, &why);
		if (len == 0)
			return n <= room ? PROXY_WAITS
			                 : refused(r, "what the web proxy answers CONNECT with is too long");
		if (len < 0 || !http_parse_answer(r->bytes, (size_t)len, HTTP_OTHER_METHOD, &head, &why)) {
			snprintf(r->words, sizeof(r->words),
			         "what the web proxy answered CONNECT with is not valid HTTP (%s): does proxy.url name "
			         "its "
			         "port for plain HTTP?",
			         guard_reason_text(why));
			return PROXY_REFUSED;
		}
		if (head.status >= 200 && head.status < 300) {
			if (r->len > (size_t)len || n > room)
				return refused(r, "the web proxy sent bytes of its own behind its answer to CONNECT, "
				                  "which would be taken for the service's");
			return PROXY_OPEN;
		}
		if (head.status >= 200)
			return judge(r, &head);
		r->scanned = 0;
		r->len -= (size_t)len;
		memmove(r->bytes, r->bytes + len, r->len);
	}
}

/* ---- who goes past it ---- */

static bool next_entry(struct slice *rest, struct slice *entry)
{
	if (rest->len == 0)
		return false;
	size_t comma = slice_find(*rest, ',');
	*entry = slice_trim(slice_until(*rest, comma));
	*rest = slice_from(*rest, comma < rest->len ? comma + 1 : comma);
	return true;
}

/* As text with an end; false when it is too long to be anything. */
static bool text_of(struct slice entry, char out[static 256])
{
	if (entry.len == 0 || entry.len > 255)
		return false;
	memcpy(out, entry.at, entry.len);
	out[entry.len] = 0;
	return true;
}

static struct slice without_star(struct slice entry)
{
	return slice_starts_with(entry, SLICE("*.")) ? slice_from(entry, 1) : entry;
}

const char *proxy_bypass_check(struct slice list, struct slice *entry)
{
	if (list.len && list.at[list.len - 1] == ',') {
		*entry = SLICE("");
		return "there is a comma too many";
	}
	while (next_entry(&list, entry)) {
		char text[256], url[300];
		struct address_prefix prefix;
		struct uri uri;
		if (entry->len == 0)
			return "there is a comma too many";
		if (!text_of(*entry, text))
			return "it is longer than a host name can be";
		if (!address_prefix_parse(text, &prefix))
			continue;
		struct slice name = without_star(*entry);
		if (name.len && name.at[0] == '.')
			name = slice_from(name, 1);
		snprintf(url, sizeof(url), "http://%.*s", SLICE_ARG(name));
		if (uri_parse(slice_str(url), &uri) || uri.path.len || uri.port != 80 || strchr(text, ':'))
			return "it is neither a host name, nor .suffix, nor an address or a prefix such as 10.0.0.0/8";
	}
	return NULL;
}

bool proxy_bypasses(struct slice list, const char *host)
{
	struct sockaddr_storage address = {0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
	struct slice entry, name = slice_str(host);
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1)
		address.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1)
		address.ss_family = AF_INET6;
	while (next_entry(&list, &entry)) {
		char text[256];
		struct address_prefix prefix;
		if (!text_of(entry, text))
			continue;
		if (!address_prefix_parse(text, &prefix)) {
			if (address.ss_family && address_prefix_covers(&prefix, &address))
				return true;
			continue;
		}
		entry = without_star(entry);
		if (entry.at[0] != '.'
		            ? slice_equal_nocase(entry, name)
		            : name.len > entry.len && slice_equal_nocase(slice_from(name, name.len - entry.len), entry))
			return true;
	}
	return false;
}
