/* Addresses and prefixes ("10.0.0.0/8", "2001:db8::/32", "192.0.2.7") that may do something. Pure. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address_prefix {
	uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d, as a caller on a dual socket shows */
	uint8_t bits;      /* 0..128 */
};

/* NULL when fine, else what is wrong, in words. */
const char *address_prefix_parse(const char *text, struct address_prefix *out);
bool address_prefix_covers(const struct address_prefix *p, const struct sockaddr_storage *a);
