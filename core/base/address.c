#include "core/base/address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

struct err address_parse(const char *text, struct sockaddr_storage *out)
{
	static const struct err wrong = {
	        ERR_SETTINGS, 0,
	        "an address is written HOST:PORT with a numeric host: 0.0.0.0:80, [::]:443 or 127.0.0.1:8080"};
	char host[64];
	const char *colon = strrchr(text, ':');
	if (!colon || (size_t)(colon - text) >= sizeof(host) || !colon[1])
		return wrong;
	char *end;
	unsigned long port = strtoul(colon + 1, &end, 10);
	if (*end || port > 65535 || colon[1] < '0' || colon[1] > '9')
		return wrong;
	size_t len = (size_t)(colon - text);
	memcpy(host, text, len);
	host[len] = 0;
	*out = (struct sockaddr_storage){0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = 0;
		if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) != 1)
			return wrong;
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		return OK;
	}
	if (len == 0 || strcmp(host, "*") == 0)
		v4->sin_addr.s_addr = INADDR_ANY;
	else if (inet_pton(AF_INET, host, &v4->sin_addr) != 1)
		return wrong;
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)port);
	return OK;
}

/* As inet_ntop, without its printf: each request's log line has one. */
static void ipv4_text(const uint8_t bytes[static 4], char *out)
{
	for (int i = 0; i < 4; i++) {
		unsigned n = bytes[i];
		if (n >= 100)
			*out++ = (char)('0' + n / 100);
		if (n >= 10)
			*out++ = (char)('0' + n / 10 % 10);
		*out++ = (char)('0' + n % 10);
		*out++ = i < 3 ? '.' : 0;
	}
}

const char *address_text(const struct sockaddr_storage *a, char out[static 64])
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
	memcpy(out, "?", 2);
	if (a->ss_family == AF_INET)
		ipv4_text((const uint8_t *)&v4->sin_addr, out);
	else if (a->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		ipv4_text(&v6->sin6_addr.s6_addr[12], out);
	else if (a->ss_family == AF_INET6)
		inet_ntop(AF_INET6, &v6->sin6_addr, out, 64);
	return out;
}

bool address_is_loopback(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
	if (a->sa_family == AF_INET6) {
		const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
		return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
	}
	return false;
}

bool address_is_loopback_name(const char *host)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
		return address_is_loopback((struct sockaddr *)&v4);
	if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
		return address_is_loopback((struct sockaddr *)&v6);
	return strcmp(host, "localhost") == 0;
}
