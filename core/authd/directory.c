#include "core/authd/directory.h"

#include "core/authd/directory_controllers.h"
#include "core/authd/directory_login.h"
#include "core/base/check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/*   directory --> realm --> controllers (an order that puts the one that answered first)
 *                       --> login (one ticket, shared)
 *                       --> idle connections, of the domain and of the forest's catalog; a thread takes one or opens one
 */
enum { IDLE_MAX = 8, FAIL_FAST_US = 3000000, IDLE_FOR_US = 120 * 1000000 };

struct idle {
	struct directory_conn *conn;
	usec_t since;
};

struct directory_realm {
	char *name, *bind_dn, *password_file, *ca_file;
	struct directory_controllers *controllers;
	struct directory_login *login; /* NULL with bind_dn */
	usec_t timeout;
	pthread_mutex_t lock; /* of all below */
	struct idle idle[2][IDLE_MAX];
	size_t idle_count[2];
	char answered[DIRECTORY_TEXT];
	_Atomic(struct directory_facts *) facts; /* set once */
	struct directory_problem failed[2];      /* the last time that no controller would have us */
	usec_t failed_until[2];
};

struct directory {
	struct directory_realm realms[DIRECTORY_REALMS];
	size_t realm_count;
};

static char *copy_of(const char *text)
{
	return text ? strdup(text) : NULL;
}

static bool realm_init(struct directory_realm *r, const struct directory_settings *settings,
                       const struct directory_realm_settings *from)
{
	pthread_mutex_init(&r->lock, NULL);
	r->timeout = (settings->timeout_ms ? settings->timeout_ms : DIRECTORY_TIMEOUT_MS) * 1000ull;
	r->name = strdup(from->name);
	r->bind_dn = copy_of(from->bind_dn);
	r->password_file = copy_of(from->password_file);
	r->ca_file = copy_of(from->ca_file);
	r->controllers = directory_controllers_new(from->name, from->controllers);
	if (from->bind_dn == NULL)
		r->login = directory_login_new(settings->keytab ? settings->keytab : "", from->name);
	return r->name && r->controllers && (r->login || r->bind_dn);
}

struct directory *directory_new(const struct directory_settings *settings)
{
	CHECK(settings->realm_count <= DIRECTORY_REALMS);
	struct directory *d = calloc(1, sizeof(*d));
	bool good = d != NULL;
	for (size_t i = 0; good && i < settings->realm_count; i++)
		good = realm_init(&d->realms[d->realm_count++], settings, &settings->realms[i]);
	if (good)
		return d;
	directory_free(d);
	return NULL;
}

static void realm_done(struct directory_realm *r)
{
	for (size_t kind = 0; kind < 2; kind++)
		for (size_t i = 0; i < r->idle_count[kind]; i++)
			directory_conn_close(r->idle[kind][i].conn);
	directory_login_free(r->login);
	directory_controllers_free(r->controllers);
	struct directory_facts *facts = r->facts;
	if (facts) {
		free(facts->dn);
		free(facts->netbios);
		free(facts);
	}
	pthread_mutex_destroy(&r->lock);
	free(r->name);
	free(r->bind_dn);
	free(r->password_file);
	free(r->ca_file);
}

void directory_free(struct directory *d)
{
	for (size_t i = 0; d && i < d->realm_count; i++)
		realm_done(&d->realms[i]);
	free(d);
}

size_t directory_realm_count(const struct directory *d)
{
	return d->realm_count;
}

struct directory_realm *directory_realm_at(struct directory *d, size_t i)
{
	return &d->realms[i];
}

const char *directory_realm_name(const struct directory_realm *r)
{
	return r->name;
}

void directory_realm_controller(struct directory_realm *r, char out[static DIRECTORY_TEXT])
{
	pthread_mutex_lock(&r->lock);
	memcpy(out, r->answered, sizeof(r->answered));
	pthread_mutex_unlock(&r->lock);
}

/* ---- connections ---- */

/* One that another ask left behind; a controller closes those that rest too long, so old ones are not tried. */
static struct directory_conn *take_idle(struct directory_realm *r, bool forest)
{
	struct directory_conn *taken = NULL, *old[IDLE_MAX];
	size_t old_count = 0;
	pthread_mutex_lock(&r->lock);
	while (r->idle_count[forest] && taken == NULL) {
		struct idle *last = &r->idle[forest][--r->idle_count[forest]];
		if (clock_now() - last->since < IDLE_FOR_US)
			taken = last->conn;
		else
			old[old_count++] = last->conn;
	}
	pthread_mutex_unlock(&r->lock);
	for (size_t i = 0; i < old_count; i++)
		directory_conn_close(old[i]);
	return taken;
}

static void give_idle(struct directory_realm *r, bool forest, struct directory_conn *c)
{
	pthread_mutex_lock(&r->lock);
	if (r->idle_count[forest] < IDLE_MAX) {
		r->idle[forest][r->idle_count[forest]++] = (struct idle){c, clock_now()};
		c = NULL;
	}
	pthread_mutex_unlock(&r->lock);
	directory_conn_close(c);
}

static struct directory_conn *open_at(struct directory_realm *r, const char *host, bool forest, usec_t until,
                                      struct directory_problem *why)
{
	char ccache[DIRECTORY_CCACHE] = "";
	if (r->login && !directory_login_get(r->login, ccache, why))
		return NULL;
	struct directory_target target = {.host = host,
	                                  .bind_dn = r->bind_dn,
	                                  .password_file = r->password_file,
	                                  .ca_file = r->ca_file,
	                                  .ccache = ccache,
	                                  .forest = forest,
	                                  .until = until};
	return directory_conn_open(&target, why);
}

/* When no controller took us, the next ask hears so at once for some seconds: threads must not queue up behind a directory that is away. */
static bool failed_just_now(struct directory_realm *r, bool forest, struct directory_problem *why)
{
	pthread_mutex_lock(&r->lock);
	bool failed = r->failed_until[forest] > clock_now();
	if (failed)
		*why = r->failed[forest];
	pthread_mutex_unlock(&r->lock);
	return failed;
}

static void note_failure(struct directory_realm *r, bool forest, const struct directory_problem *why)
{
	pthread_mutex_lock(&r->lock);
	r->failed[forest] = *why;
	r->failed_until[forest] = clock_now() + FAIL_FAST_US;
	pthread_mutex_unlock(&r->lock);
	if (r->login)
		directory_login_forget(r->login);
}

/* Each of the controllers once, the one that answered last first. The time is shared out, so that one that swallows everything leaves some for the next. */
static struct directory_conn *open_any(struct directory_realm *r, bool forest, usec_t until,
                                       struct directory_problem *why)
{
	char hosts[DIRECTORY_CONTROLLERS][DIRECTORY_TEXT];
	if (failed_just_now(r, forest, why))
		return NULL;
	size_t count = directory_controllers_get(r->controllers, hosts, why);
	for (size_t i = 0; i < count && clock_now() < until; i++) {
		usec_t now = clock_now(), share = (until - now) / (count - i > 3 ? 3 : count - i);
		struct directory_conn *c = open_at(r, hosts[i], forest, now + share, why);
		if (c) {
			directory_controllers_answered(r->controllers, hosts[i]);
			pthread_mutex_lock(&r->lock);
			memcpy(r->answered, hosts[i], sizeof(r->answered));
			pthread_mutex_unlock(&r->lock);
			return c;
		}
		directory_controllers_failed(r->controllers, hosts[i]);
	}
	note_failure(r, forest, why);
	return NULL;
}

/* ---- a domain about itself ---- */

struct reading {
	struct directory_facts facts;
	char *configuration;
};

static char *text_of(struct directory_entry *e, const char *attribute)
{
	struct slice value;
	return directory_entry_value(e, attribute, 0, &value) ? strndup(value.at, value.len) : NULL;
}

static bool read_root(void *context, struct directory_entry *e)
{
	struct reading *r = context;
	if (r->facts.dn == NULL)
		r->facts.dn = text_of(e, "defaultNamingContext");
	if (r->configuration == NULL)
		r->configuration = text_of(e, "configurationNamingContext");
	return true;
}

static bool read_domain(void *context, struct directory_entry *e)
{
	struct reading *r = context;
	struct slice sid;
	if (directory_entry_value(e, "objectSid", 0, &sid))
		sid_read(sid, &r->facts.sid);
	return true;
}

static bool read_partition(void *context, struct directory_entry *e)
{
	struct reading *r = context;
	struct slice dn;
	if (r->facts.netbios == NULL && directory_entry_value(e, "nCName", 0, &dn) &&
	    slice_equal_nocase(dn, slice_str(r->facts.dn)))
		r->facts.netbios = text_of(e, "nETBIOSName");
	return true;
}

static enum directory_status read_facts(struct directory_conn *c, usec_t until, struct reading *r,
                                        struct directory_problem *why)
{
	static const char *const root[] = {"defaultNamingContext", "configurationNamingContext", NULL};
	static const char *const domain[] = {"objectSid", NULL};
	static const char *const partition[] = {"nCName", "nETBIOSName", NULL};
	struct directory_query q = {.base = "", .attributes = root, .scope = SCOPE_OBJECT, .until = until};
	enum directory_status status = directory_conn_search(c, &q, read_root, r, why);
	if (status == DIRECTORY_OK && r->facts.dn && r->configuration) {
		q.base = r->facts.dn;
		q.attributes = domain;
		status = directory_conn_search(c, &q, read_domain, r, why);
	}
	if (status == DIRECTORY_OK && r->configuration) {
		q = (struct directory_query){.base = r->configuration,
		                             .filter = "(&(objectClass=crossRef)(nETBIOSName=*))",
		                             .attributes = partition,
		                             .scope = SCOPE_SUBTREE,
		                             .until = until};
		status = directory_conn_search(c, &q, read_partition, r, why);
	}
	if (status == DIRECTORY_OK && (r->facts.netbios == NULL || sid_is_none(&r->facts.sid))) {
		snprintf(why->what, sizeof(why->what),
		         "the controller does not describe an Active Directory domain to us");
		why->mend = "let the connector account read the domain's root and its partitions, as every account may "
		            "by default";
		return DIRECTORY_REFUSED;
	}
	return status;
}

static enum directory_status know(struct directory_realm *r, struct directory_conn *c, usec_t until,
                                  struct directory_problem *why)
{
	if (r->facts)
		return DIRECTORY_OK;
	struct reading reading = {0};
	struct directory_facts *made = calloc(1, sizeof(*made)), *none = NULL;
	enum directory_status status = made ? read_facts(c, until, &reading, why) : DIRECTORY_LOST;
	free(reading.configuration);
	if (status == DIRECTORY_OK) {
		*made = reading.facts;
		if (atomic_compare_exchange_strong(&r->facts, &none, made))
			return DIRECTORY_OK;
	}
	free(reading.facts.dn);
	free(reading.facts.netbios);
	free(made);
	return status;
}

/* ---- running ---- */

enum directory_status directory_run(struct directory_realm *r, bool forest, directory_work_fn *work, void *context,
                                    struct directory_problem *why)
{
	usec_t until = clock_now() + r->timeout;
	why->what[0] = 0;
	why->mend = "";
	for (int fresh = 0; fresh < 2 && clock_now() < until;) {
		struct directory_conn *c = take_idle(r, forest);
		if (c == NULL) {
			c = open_any(r, forest, until, why);
			if (c == NULL)
				return DIRECTORY_LOST;
			fresh++;
		}
		enum directory_status status = know(r, c, until, why);
		if (status == DIRECTORY_OK)
			status = work(c, r->facts, until, context, why);
		if (status != DIRECTORY_LOST) {
			give_idle(r, forest, c);
			return status;
		}
		directory_conn_close(c);
	}
	if (why->what[0] == 0)
		snprintf(why->what, sizeof(why->what), "%s: no answer in time", r->name);
	return DIRECTORY_LOST;
}

static enum directory_status nothing_more(struct directory_conn *c, const struct directory_facts *domain, usec_t until,
                                          void *context, struct directory_problem *why)
{
	return DIRECTORY_OK;
}

const struct directory_facts *directory_facts_of(struct directory_realm *r, struct directory_problem *why)
{
	if (r->facts == NULL && directory_run(r, false, nothing_more, NULL, why) != DIRECTORY_OK)
		return NULL;
	return r->facts;
}

struct directory_realm *directory_realm_named(struct directory *d, struct slice name)
{
	struct directory_problem why;
	for (size_t i = 0; i < d->realm_count; i++)
		if (slice_equal_nocase(name, slice_str(d->realms[i].name)))
			return &d->realms[i];
	for (size_t i = 0; i < d->realm_count; i++) {
		const struct directory_facts *facts = directory_facts_of(&d->realms[i], &why);
		if (facts && slice_equal_nocase(name, slice_str(facts->netbios)))
			return &d->realms[i];
	}
	return NULL;
}

struct directory_realm *directory_realm_of(struct directory *d, const struct sid *s,
                                           struct directory_problem *unreachable)
{
	struct directory_realm *found = NULL;
	if (unreachable)
		unreachable->what[0] = 0;
	for (size_t i = 0; i < d->realm_count && found == NULL; i++) {
		struct directory_problem why;
		const struct directory_facts *facts = directory_facts_of(&d->realms[i], &why);
		if (facts && (sid_is_of_domain(s, &facts->sid) || sid_compare(s, &facts->sid) == 0))
			found = &d->realms[i];
		else if (!facts && unreachable && !unreachable->what[0])
			*unreachable = why;
	}
	return found;
}
