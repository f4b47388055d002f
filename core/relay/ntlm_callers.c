#include "core/relay/ntlm_callers.h"

#include "core/base/clock.h"
#include "core/base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMED_MAX = 40, TEXT = 1600, HOST_TEXT = 256 };

static struct {
	pthread_mutex_t lock;
	uint64_t refused[NTLM_CALLERS_MAX]; /* hashes of those that were told; 0: free */
	unsigned refused_count;
	uint64_t used[NTLM_CALLERS_MAX]; /* since the day began */
	unsigned used_count;
	char *names[NAMED_MAX]; /* owned; the first of them */
	usec_t day;             /* when the first of them came */
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Whether it is new, and, with keep, noted now; one that finds no room counts as told. */
static bool note(uint64_t *places, unsigned *count, const char *text, bool keep)
{
	uint64_t hash = 14695981039346656037ull;
	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 1099511628211ull;
	hash += !hash;
	for (size_t i = 0; i < NTLM_CALLERS_MAX; i++) {
		uint64_t *place = &places[(hash + i) % NTLM_CALLERS_MAX];
		if (*place == hash || *count == NTLM_CALLERS_MAX - 1)
			return false;
		if (*place == 0) {
			*place = keep ? hash : 0;
			*count += keep;
			return true;
		}
	}
	return false;
}

/* The name that callers use, when it is one that can be in a service name: letters, not an address. */
static void service_name(struct slice host, char out[static HOST_TEXT])
{
	size_t len = host.len, letters = 0;
	if (len == 0 || host.at[0] != '[')
		len = slice_find(host, ':');
	for (size_t i = 0; i < len; i++) {
		char c = host.at[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		letters += letter;
		if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '_')
			letters = len = 0;
	}
	if (letters && len < HOST_TEXT)
		snprintf(out, HOST_TEXT, "%.*s", (int)len, host.at);
	else
		snprintf(out, HOST_TEXT, "<name in the callers' URL>");
}

void ntlm_callers_refused(const char *address, const struct ntlm_names *names, struct slice host)
{
	char who[8 * NTLM_NAME_BYTES], name[HOST_TEXT], said[4 * NTLM_NAME_BYTES] = "";
	if (*names->account)
		snprintf(said, sizeof(said), ", account %s%s%s", names->domain, *names->domain ? "\\" : "",
		         names->account);
	else if (*names->domain)
		snprintf(said, sizeof(said), ", domain %s", names->domain);
	snprintf(who, sizeof(who), "%.63s%s%s%s", address, *names->workstation ? ", computer " : "", names->workstation,
	         said);
	service_name(host, name);
	pthread_mutex_lock(&table.lock);
	bool is_new = note(table.refused, &table.refused_count, who, false);
	pthread_mutex_unlock(&table.lock);
	/* A name is whatever its sender writes: so the event keeps its limit, and one that was left out is told another time. */
	if (!is_new || !event_log(EVENT_NTLM_REFUSED,
	                          "%s: it got no Kerberos ticket for this name. Let the connector account own it, and "
	                          "have its key in the keytab: setspn -S "
	                          "HTTP/%s <connector account>",
	                          who, name))
		return;
	pthread_mutex_lock(&table.lock);
	note(table.refused, &table.refused_count, who, true);
	pthread_mutex_unlock(&table.lock);
}

void ntlm_callers_used(const char *account)
{
	pthread_mutex_lock(&table.lock);
	unsigned at = table.used_count;
	if (note(table.used, &table.used_count, account, true)) {
		if (at == 0)
			table.day = clock_now();
		if (at < NAMED_MAX)
			table.names[at] = strdup(account);
	}
	pthread_mutex_unlock(&table.lock);
}

/* With the lock. */
static void forget_day(void)
{
	for (size_t i = 0; i < NAMED_MAX; i++) {
		free(table.names[i]);
		table.names[i] = NULL;
	}
	memset(table.used, 0, sizeof(table.used));
	table.used_count = 0;
}

void ntlm_callers_tick(bool all)
{
	char text[TEXT] = "";
	size_t at = 0, named = 0;
	unsigned count = 0;
	pthread_mutex_lock(&table.lock);
	if (table.used_count && (all || clock_now() - table.day >= (usec_t)NTLM_DAY_S * 1000000)) {
		count = table.used_count;
		for (; named < NAMED_MAX && table.names[named]; named++) {
			int n = snprintf(text + at, sizeof(text) - at, "%s%s", named ? ", " : "", table.names[named]);
			if (n < 0 || (size_t)n >= sizeof(text) - at) {
				text[at] = 0;
				break;
			}
			at += (size_t)n;
		}
		forget_day();
	}
	pthread_mutex_unlock(&table.lock);
	if (count)
		event_log(EVENT_NTLM_IN_USE,
		          "%u account%s: %s%s. With a Kerberos ticket they need it no more: setspn -S HTTP/<name in "
		          "their URL> <connector account>",
		          count, count == 1 ? "" : "s", text, count > named ? ", and others" : "");
}

void ntlm_callers_forget(void)
{
	pthread_mutex_lock(&table.lock);
	forget_day();
	memset(table.refused, 0, sizeof(table.refused));
	table.refused_count = 0;
	pthread_mutex_unlock(&table.lock);
}
