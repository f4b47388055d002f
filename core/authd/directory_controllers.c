#include "core/authd/directory_controllers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOOK_UP_EVERY_US = 300 * 1000000, FAILED_FOR_US = 30 * 1000000 };

struct controller {
	char host[DIRECTORY_TEXT];
	usec_t failed; /* 0: it did not */
};

struct directory_controllers {
	pthread_mutex_t lock;
	char *realm;
	bool named;
	usec_t looked_up; /* 0: not yet */
	struct controller at[DIRECTORY_CONTROLLERS];
	size_t count, first; /* first: the one that answered last */
};

struct directory_controllers *directory_controllers_new(const char *realm, const char *const *named)
{
	struct directory_controllers *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	c->realm = strdup(realm);
	for (; named && *named && c->count < DIRECTORY_CONTROLLERS; named++)
		snprintf(c->at[c->count++].host, DIRECTORY_TEXT, "%s", *named);
	c->named = c->count > 0;
	if (c->realm)
		return c;
	directory_controllers_free(c);
	return NULL;
}

void directory_controllers_free(struct directory_controllers *c)
{
	if (c == NULL)
		return;
	pthread_mutex_destroy(&c->lock);
	free(c->realm);
	free(c);
}

/* Under lock. An answer that names nobody leaves what was known. */
static void look_up(struct directory_controllers *c, usec_t now)
{
	char hosts[DIRECTORY_CONTROLLERS][DIRECTORY_TEXT];
	size_t count = directory_conn_lookup(c->realm, hosts);
	if (count == 0)
		return;
	struct controller fresh[DIRECTORY_CONTROLLERS] = {0};
	for (size_t i = 0; i < count; i++) {
		memcpy(fresh[i].host, hosts[i], DIRECTORY_TEXT);
		for (size_t k = 0; k < c->count; k++)
			if (strcmp(c->at[k].host, hosts[i]) == 0)
				fresh[i].failed = c->at[k].failed;
	}
	memcpy(c->at, fresh, sizeof(fresh));
	c->count = count;
	c->first = 0;
	c->looked_up = now;
}

static size_t give(const struct directory_controllers *c, bool failed, usec_t now, size_t given,
                   char out[static DIRECTORY_CONTROLLERS][DIRECTORY_TEXT])
{
	for (size_t i = 0; i < c->count; i++) {
		const struct controller *one = &c->at[(c->first + i) % c->count];
		if ((one->failed && now - one->failed < FAILED_FOR_US) == failed)
			memcpy(out[given++], one->host, DIRECTORY_TEXT);
	}
	return given;
}

size_t directory_controllers_get(struct directory_controllers *c,
                                 char out[static DIRECTORY_CONTROLLERS][DIRECTORY_TEXT], struct directory_problem *why)
{
	usec_t now = clock_now();
	pthread_mutex_lock(&c->lock);
	if (!c->named && (c->looked_up == 0 || now - c->looked_up > LOOK_UP_EVERY_US))
		look_up(c, now);
	size_t count = give(c, true, now, give(c, false, now, 0, out), out);
	pthread_mutex_unlock(&c->lock);
	if (count == 0) {
		snprintf(why->what, sizeof(why->what),
		         "no controller of %s is known: DNS has no SRV record _ldap._tcp.dc._msdcs.%.120s", c->realm,
		         c->realm);
		why->mend = "let this machine resolve names by the domain's DNS, or name the controllers in realms";
	}
	return count;
}

static struct controller *find(struct directory_controllers *c, const char *host)
{
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->at[i].host, host) == 0)
			return &c->at[i];
	return NULL;
}

void directory_controllers_answered(struct directory_controllers *c, const char *host)
{
	pthread_mutex_lock(&c->lock);
	struct controller *one = find(c, host);
	if (one) {
		one->failed = 0;
		c->first = (size_t)(one - c->at);
	}
	pthread_mutex_unlock(&c->lock);
}

void directory_controllers_failed(struct directory_controllers *c, const char *host)
{
	pthread_mutex_lock(&c->lock);
	struct controller *one = find(c, host);
	if (one)
		one->failed = clock_now();
	pthread_mutex_unlock(&c->lock);
}
