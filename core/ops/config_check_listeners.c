#include "core/base/address.h"
#include "core/ops/config_check.h"

#include <string.h>

static void check_addresses(const struct settings *s, const struct config_places *at, struct config_problems *p)
{
	struct sockaddr_storage addresses[CONFIG_LISTENERS_MAX];
	if (s->listener_count == 0)
		config_problem(
		        p, config_place_or(at->listeners, (struct config_place){0}),
		        "there is no listener, so no server could connect: write listeners: and below it, indented, "
		        "- address: 0.0.0.0:443");
	for (size_t i = 0; i < s->listener_count; i++) {
		struct config_place place = at->listener[i].address;
		char name[40];
		addresses[i] = (struct sockaddr_storage){0};
		snprintf(name, sizeof(name), "listeners[%zu].address", i);
		if (!s->listeners[i].address)
			config_problem(p, place, "%s is missing: write - address: HOST:PORT", name);
		else if (config_check_address(s->listeners[i].address, name, place, p, &addresses[i]))
			for (size_t j = 0; j < i; j++)
				if (config_same_address(&addresses[i], &addresses[j]))
					config_problem(p, place, "%s is the address of the listener on line %u, too",
					               name, at->listener[j].address.line);
	}
	struct sockaddr_storage stats;
	if (!*s->stats_address || address_parse(s->stats_address, &stats).code)
		return;
	for (size_t i = 0; i < s->listener_count; i++)
		if (config_same_address(&stats, &addresses[i]))
			config_problem(
			        p, config_place_or(at->row[SETTING_stats_address], at->listener[i].address),
			        "stats.address is the address of the listener on line %u, too: give one another port",
			        at->listener[i].address.line);
}

/* Behind something that mixes callers each request must prove by itself whose it is. */
static void check_behind(const struct settings *s, size_t i, const struct config_places *at, struct config_problems *p)
{
	if (s->listeners[i].behind == BEHIND_L7 && strcmp(s->auth_ntlm, "off") != 0)
		config_problem(
		        p, at->listener[i].behind,
		        "listeners[%zu].behind is l7, but auth.ntlm on line %u lets callers use NTLM: that proves "
		        "a whole connection, and a proxy that reads HTTP sends several callers' requests over "
		        "one, so that one caller would be taken for another. Set auth.ntlm: off, or let a "
		        "balancer that passes TCP on stand there, and write behind: l4",
		        i, at->row[SETTING_auth_ntlm].line);
}

static void check_binding(const struct settings *s, size_t i, const struct config_places *at, struct config_problems *p)
{
	const struct listener_settings *l = &s->listeners[i];
	struct config_place place = at->listener[i].channel_binding;
	if (l->channel_binding == BINDING_REQUIRE && !l->certificates[0])
		config_problem(
		        p, place,
		        "listeners[%zu].channel_binding is require, but this listener has no TLS that anything "
		        "could be bound to, so nobody would be let in: give it tls, or write channel_binding: off",
		        i);
	if (l->channel_binding == BINDING_REQUIRE && l->behind == BEHIND_L7)
		config_problem(
		        p, place,
		        "listeners[%zu].channel_binding is require, but behind is l7: a proxy that reads HTTP ends "
		        "the callers' TLS, so what they prove is bound to its certificate and nobody would be let "
		        "in. Let TLS through (behind: l4), or write channel_binding: off",
		        i);
	if (l->channel_binding == BINDING_ACCEPT && l->behind == BEHIND_L7)
		config_warning(
		        p, place,
		        "listeners[%zu].channel_binding is accept behind l7: callers with Extended Protection are "
		        "refused unless the proxy has this node's very certificate",
		        i);
}

static void check_proxy_protocol(const struct settings *s, size_t i, const struct config_places *at,
                                 struct config_problems *p)
{
	const struct listener_settings *l = &s->listeners[i];
	const struct config_listener_places *place = &at->listener[i];
	if (l->proxy_protocol && l->behind == BEHIND_DIRECT)
		config_problem(p, place->proxy_protocol,
		               "listeners[%zu].proxy_protocol is true, but nothing stands before this listener to send "
		               "the header: write behind: l4, too, or take proxy_protocol away",
		               i);
	if (l->proxy_protocol && l->balancer_count == 0 && !place->balancers.line)
		config_problem(
		        p, place->proxy_protocol,
		        "listeners[%zu].balancers is missing: the header says whose a connection is, so name the "
		        "addresses from which it is believed, balancers: [192.0.2.10, 192.0.2.11]",
		        i);
	else if (l->proxy_protocol && l->balancer_count == 0)
		config_problem(p, place->balancers,
		               "listeners[%zu].balancers is empty, so every connection would be closed", i);
	else if (!l->proxy_protocol && place->balancers.line)
		config_problem(p, place->balancers,
		               "listeners[%zu].balancers says whose PROXY header is believed, and this listener reads "
		               "none: write proxy_protocol: true, too, or take balancers away",
		               i);
}

void config_check_listeners(const struct settings *s, const struct config_places *at, struct config_problems *p)
{
	check_addresses(s, at, p);
	for (size_t i = 0; i < s->listener_count; i++) {
		check_behind(s, i, at, p);
		check_binding(s, i, at, p);
		check_proxy_protocol(s, i, at, p);
	}
}
