#include "proto/uri.h"
#include "proto/http_chars.h"

#include <arpa/inet.h>

static bool takes(struct slice *rest, struct slice prefix)
{
	if (rest->len < prefix.len || strncasecmp(rest->at, prefix.at, prefix.len) != 0)
		return false;
	*rest = slice_from(*rest, prefix.len);
	return true;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool is_alnum(char c)
{
	return http_char_is(c, CHAR_DIGIT) || (lower(c) >= 'a' && lower(c) <= 'z');
}

/* Labels of letters, digits, '-' and '_' (Windows names have it), 1 to 63 bytes, no '-' at their ends. */
static const char *check_label(struct slice label)
{
	if (label.len == 0)
		return "the host name has an empty part: a dot too many";
	if (label.len > 63)
		return "a part of the host name is longer than 63 characters";
	if (label.at[0] == '-' || label.at[label.len - 1] == '-')
		return "a part of the host name begins or ends with '-'";
	for (size_t i = 0; i < label.len; i++)
		if (!is_alnum(label.at[i]) && label.at[i] != '-' && label.at[i] != '_')
			return "the host name has a character that host names may not have (write international names "
			       "as xn--...)";
	return NULL;
}

/* Resolvers take "1.2.3", "0x7f.1" and "2130706433" for addresses, each in its own way: a name that ends in a number must be a whole address. */
static const char *check_name(struct slice host, const char *text)
{
	struct slice rest = host, last = host;
	struct in_addr address;
	while (true) {
		size_t dot = slice_find(rest, '.');
		const char *wrong = check_label(last = slice_until(rest, dot));
		if (wrong)
			return wrong;
		if (dot == rest.len)
			break;
		rest = slice_from(rest, dot + 1);
	}
	bool number = true;
	for (size_t i = 0; i < last.len; i++)
		number = number && http_char_is(last.at[i], CHAR_DIGIT);
	number = number || (last.len > 1 && last.at[0] == '0' && lower(last.at[1]) == 'x');
	if (number && inet_pton(AF_INET, text, &address) != 1)
		return "the host is neither a name nor a complete IPv4 address";
	return NULL;
}

static const char *read_host(struct slice *rest, char host[static 256])
{
	bool literal = rest->len && rest->at[0] == '[';
	size_t end = 0;
	struct in6_addr address;
	if (literal) {
		*rest = slice_from(*rest, 1);
		end = slice_find(*rest, ']');
		if (end == rest->len)
			return "the IPv6 address has no closing ']'";
	} else {
		while (end < rest->len && rest->at[end] != ':' && rest->at[end] != '/')
			end++;
	}
	struct slice name = slice_until(*rest, end);
	if (name.len == 0)
		return "the host name is missing";
	if (name.len > 253)
		return "the host name is longer than 253 characters";
	for (size_t i = 0; i < name.len; i++)
		host[i] = lower(name.at[i]);
	host[name.len] = 0;
	*rest = slice_from(*rest, end + literal);
	if (memchr(name.at, 0, name.len))
		return "the host name has a character that host names may not have (write international names as "
		       "xn--...)";
	if (!literal)
		return check_name(name, host);
	return inet_pton(AF_INET6, host, &address) == 1 ? NULL : "the address in brackets is not an IPv6 address";
}

static const char *read_port(struct slice *rest, uint16_t *port)
{
	unsigned n = 0;
	size_t i = 1;
	if (rest->len == 0 || rest->at[0] != ':')
		return NULL;
	for (; i < rest->len && http_char_is(rest->at[i], CHAR_DIGIT) && i < 7; i++)
		n = n * 10 + (unsigned)(rest->at[i] - '0');
	if (i == 1 || n == 0 || n > 65535 || (i < rest->len && rest->at[i] != '/'))
		return "the port is not a number from 1 to 65535";
	*port = (uint16_t)n;
	*rest = slice_from(*rest, i);
	return NULL;
}

const char *uri_parse(struct slice text, struct uri *out)
{
	struct uri u = {.port = 80};
	struct slice rest = text;
	const char *wrong;
	if (takes(&rest, SLICE("https://"))) {
		u.tls = true;
		u.port = 443;
	} else if (!takes(&rest, SLICE("http://"))) {
		return "the URL does not begin with http:// or https://";
	}
	struct slice authority = slice_until(rest, slice_find(rest, '/'));
	if (slice_find(rest, '?') < rest.len)
		return "the URL has a query ('?'), which is not supported here";
	if (slice_find(rest, '#') < rest.len)
		return "the URL has a fragment ('#'), which is not supported here";
	if (slice_find(authority, '@') < authority.len)
		return "the URL has a user name or password in it, which is not supported here";
	if ((wrong = read_host(&rest, u.host)) || (wrong = read_port(&rest, &u.port)))
		return wrong;
	if (rest.len && rest.at[0] != '/')
		return "the host name is followed by something that is neither a port nor a path";
	for (size_t i = 0; i < rest.len; i++)
		if (!http_char_is(rest.at[i], CHAR_TARGET))
			return "the path has a space or another character that must be written as %xx";
	u.path = rest;
	*out = u;
	return NULL;
}
