#include "core/authd/directory_conn.h"

#include "core/authd/directory_deadline.h"
#include "core/authd/directory_login.h"
#include "core/authd/directory_reach.h"
#include "core/base/check.h"

#include <ldap.h>
#include <sasl/sasl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct directory_conn {
	LDAP *ld;
	char host[DIRECTORY_TEXT];
	int port;
	struct ldap_conncb connected; /* libldap tells of its socket, and keeps a pointer to this */
	struct directory_deadline deadline;
};

enum { ENTRY_ATTRIBUTES = 16, FAREWELL_US = 1000 * 1000 };
struct directory_entry {
	LDAP *ld;
	LDAPMessage *message;
	char *dn;
	struct {
		const char *name;
		struct berval **values;
	} read[ENTRY_ATTRIBUTES]; /* freed when each() has returned */
	size_t read_count;
};

static void PRINTF_LIKE(3, 4) complain(struct directory_problem *why, const char *mend, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(why->what, sizeof(why->what), format, args);
	va_end(args);
	why->mend = mend;
}

static struct timeval left(usec_t until)
{
	usec_t now = clock_now();
	usec_t rest = until > now ? until - now : 1;
	return (struct timeval){.tv_sec = (time_t)(rest / 1000000), .tv_usec = (suseconds_t)(rest % 1000000)};
}

/* libldap's word for it, and what the controller said in its own. */
static void complain_ldap(struct directory_problem *why, struct directory_conn *c, const char *doing, int code)
{
	char *said = NULL;
	ldap_get_option(c->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &said);
	const char *mend =
	        "see whether the controller is up and reachable from here (ports 389 and 3268, or 636 and 3269)";
	if (code == LDAP_INVALID_CREDENTIALS)
		mend = "the directory refuses this account; correct its name and password";
	else if (code == LDAP_STRONG_AUTH_REQUIRED)
		mend = "the controller wants LDAPS or Kerberos";
	else if (code == LDAP_LOCAL_ERROR || code == LDAP_AUTH_UNKNOWN)
		mend = "the controller must be named as in its own service name ldap/NAME, and "
		       "libsasl2-modules-gssapi-mit be installed";
	complain(why, mend, "%s: %s: %s%s%s", c->host, doing, ldap_err2string(code), said && *said ? ": " : "",
	         said ? said : "");
	ldap_memfree(said);
}

/* ---- opening ---- */

/* No bind came about. Where libldap knows only that nobody answered, the cause is looked for. */
static void complain_opening(struct directory_problem *why, struct directory_conn *c, const struct directory_target *t,
                             const char *doing, int code)
{
	bool connected = c->deadline.fd >= 0;
	if (code != LDAP_SERVER_DOWN && code != LDAP_CONNECT_ERROR && code != LDAP_TIMEOUT)
		complain_ldap(why, c, doing, code);
	else if (!connected && directory_reach_fails(c->host, c->port, t->until, why))
		return;
	else if (connected && (code == LDAP_TIMEOUT || clock_now() >= t->until))
		complain(why, "the controller is overloaded, or something between holds connections up",
		         "%s: port %d takes connections, but no answer came in time", c->host, c->port);
	else if (connected && t->bind_dn) /* libldap does not tell a certificate it refuses from one who hangs up */
		complain(
		        why,
		        "the certificate must name the controller as it is called here, and ca_file hold who issued it",
		        "%s: port %d takes connections, but TLS with it fails", c->host, c->port);
	else
		complain_ldap(why, c, doing, code);
}

static int no_questions(LDAP *ld, unsigned flags, void *defaults, void *interact)
{
	for (sasl_interact_t *in = interact; in->id != SASL_CB_LIST_END; in++) {
		in->result = "";
		in->len = 0;
	}
	return LDAP_SUCCESS;
}

static int on_connected(LDAP *ld, Sockbuf *sb, LDAPURLDesc *server, struct sockaddr *address, struct ldap_conncb *self)
{
	int fd = -1;
	if (ber_sockbuf_ctrl(sb, LBER_SB_OPT_GET_FD, &fd) == 1)
		directory_deadline_watch(&container_of(self, struct directory_conn, connected)->deadline, fd);
	return LDAP_SUCCESS;
}

static void on_disconnected(LDAP *ld, Sockbuf *sb, struct ldap_conncb *self)
{
}

static int set_up(struct directory_conn *c, const struct directory_target *t)
{
	int version = LDAP_VERSION3, idle_s = 60;
	struct timeval wait = left(t->until);
	LDAP *ld = c->ld;
	int r = ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);
	r |= ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
	r |= ldap_set_option(ld, LDAP_OPT_RESTART, LDAP_OPT_ON);
	r |= ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &wait);
	r |= ldap_set_option(ld, LDAP_OPT_TIMEOUT, &wait);
	r |= ldap_set_option(ld, LDAP_OPT_X_KEEPALIVE_IDLE, &idle_s);
	c->connected = (struct ldap_conncb){.lc_add = on_connected, .lc_del = on_disconnected};
	r |= ldap_set_option(ld, LDAP_OPT_CONNECT_CB, &c->connected);
	/* The name in the service ticket is ours, not what reverse DNS says. */
	r |= ldap_set_option(ld, LDAP_OPT_X_SASL_NOCANON, LDAP_OPT_ON);
	if (t->bind_dn == NULL)
		return r | ldap_set_option(ld, LDAP_OPT_X_SASL_SECPROPS, "minssf=56");
	int demand = LDAP_OPT_X_TLS_DEMAND, client = 0;
	r |= ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand);
	if (t->ca_file)
		r |= ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, t->ca_file);
	return r | ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client);
}

static bool read_password(const char *file, char *out, size_t room, struct directory_problem *why)
{
	FILE *f = file ? fopen(file, "re") : NULL;
	bool read = f && fgets(out, (int)room, f);
	if (f)
		fclose(f);
	if (read)
		out[strcspn(out, "\r\n")] = 0;
	if (read && *out)
		return true;
	complain(why, "put the password of bind_dn into that file, readable for authd only", "%s: no password in it",
	         file ? file : "password_file is not set");
	return false;
}

static bool bind_simple(struct directory_conn *c, const struct directory_target *t, struct directory_problem *why)
{
	char password[512];
	if (!read_password(t->password_file, password, sizeof(password), why))
		return false;
	struct berval secret = {.bv_val = password, .bv_len = strlen(password)};
	int r = ldap_sasl_bind_s(c->ld, t->bind_dn, LDAP_SASL_SIMPLE, &secret, NULL, NULL, NULL);
	explicit_bzero(password, sizeof(password));
	if (r == LDAP_SUCCESS)
		return true;
	complain_opening(why, c, t, "bind over LDAPS", r);
	return false;
}

static bool bind_kerberos(struct directory_conn *c, const struct directory_target *t, struct directory_problem *why)
{
	directory_login_use(t->ccache);
	int r = ldap_sasl_interactive_bind_s(c->ld, NULL, "GSSAPI", NULL, NULL, LDAP_SASL_QUIET, no_questions, NULL);
	if (r == LDAP_SUCCESS)
		return true;
	complain_opening(why, c, t, "bind with Kerberos", r);
	return false;
}

struct directory_conn *directory_conn_open(const struct directory_target *t, struct directory_problem *why)
{
	char url[DIRECTORY_TEXT + 32];
	bool tls = t->bind_dn != NULL;
	int port = tls ? (t->forest ? 3269 : 636) : (t->forest ? 3268 : 389);
	snprintf(url, sizeof(url), "%s://%s:%d", tls ? "ldaps" : "ldap", t->host, port);
	struct directory_conn *c = calloc(1, sizeof(*c));
	if (c == NULL || ldap_initialize(&c->ld, url) != LDAP_SUCCESS) {
		complain(why, "write the controller as a host name", "%s is no place for a directory", url);
		free(c);
		return NULL;
	}
	snprintf(c->host, sizeof(c->host), "%s", t->host);
	c->port = port;
	directory_deadline_init(&c->deadline);
	if (set_up(c, t) != LDAP_OPT_SUCCESS)
		complain(why, t->ca_file ? "see whether ca_file is a file of PEM certificates" : "",
		         "%s: libldap does not take our settings", c->host);
	else {
		directory_deadline_set(&c->deadline, t->until);
		bool bound = tls ? bind_simple(c, t, why) : bind_kerberos(c, t, why);
		directory_deadline_clear(&c->deadline);
		if (bound)
			return c;
	}
	directory_conn_close(c);
	return NULL;
}

void directory_conn_close(struct directory_conn *c)
{
	if (c == NULL)
		return;
	directory_deadline_set(&c->deadline, clock_now() + FAREWELL_US);
	ldap_unbind_ext_s(c->ld, NULL, NULL);
	directory_deadline_done(&c->deadline);
	free(c);
}

/* ---- entries ---- */

const char *directory_entry_dn(struct directory_entry *e)
{
	if (e->dn == NULL)
		e->dn = ldap_get_dn(e->ld, e->message);
	return e->dn ? e->dn : "";
}

static struct berval **values_of(struct directory_entry *e, const char *attribute)
{
	for (size_t i = 0; i < e->read_count; i++)
		if (strcmp(e->read[i].name, attribute) == 0)
			return e->read[i].values;
	if (e->read_count == ENTRY_ATTRIBUTES)
		return NULL;
	struct berval **values = ldap_get_values_len(e->ld, e->message, attribute);
	e->read[e->read_count].name = attribute;
	e->read[e->read_count++].values = values;
	return values;
}

bool directory_entry_value(struct directory_entry *e, const char *attribute, size_t i, struct slice *out)
{
	struct berval **values = values_of(e, attribute);
	if (values == NULL || i >= (size_t)ldap_count_values_len(values))
		return false;
	*out = slice_of(values[i]->bv_val, values[i]->bv_len);
	return true;
}

/* The piece's name in the entry: "member" when it is the whole, else "member;range=1500-2999", of the last one "member;range=3000-*". */
static uint32_t next_range(const char *name, size_t attribute_len)
{
	const char *dash = strchr(name + attribute_len, '-');
	return dash && dash[1] != '*' ? (uint32_t)strtoul(dash + 1, NULL, 10) + 1 : 0;
}

uint32_t directory_entry_range(struct directory_entry *e, const char *attribute,
                               void (*value)(void *context, struct slice v), void *context)
{
	BerElement *cursor = NULL;
	size_t len = strlen(attribute);
	uint32_t next = 0;
	for (char *name = ldap_first_attribute(e->ld, e->message, &cursor); name;
	     name = ldap_next_attribute(e->ld, e->message, cursor)) {
		bool ours = strncasecmp(name, attribute, len) == 0 && (name[len] == 0 || name[len] == ';');
		struct berval **values = ours ? ldap_get_values_len(e->ld, e->message, name) : NULL;
		for (size_t i = 0; values && values[i]; i++)
			value(context, slice_of(values[i]->bv_val, values[i]->bv_len));
		if (values && values[0] && name[len] == ';')
			next = next_range(name, len);
		ldap_value_free_len(values);
		ldap_memfree(name);
	}
	ber_free(cursor, 0);
	return next;
}

bool directory_entry_number(struct directory_entry *e, const char *attribute, int64_t *out)
{
	struct slice text;
	char digits[24], *end;
	if (!directory_entry_value(e, attribute, 0, &text) || text.len == 0 || text.len >= sizeof(digits))
		return false;
	memcpy(digits, text.at, text.len);
	digits[text.len] = 0;
	*out = strtoll(digits, &end, 10);
	return *end == 0;
}

static void entry_done(struct directory_entry *e)
{
	for (size_t i = 0; i < e->read_count; i++)
		ldap_value_free_len(e->read[i].values);
	ldap_memfree(e->dn);
}

/* ---- searching ---- */

static enum directory_status status_of(int code)
{
	switch (code) {
	case LDAP_SUCCESS:
		return DIRECTORY_OK;
	case LDAP_NO_SUCH_OBJECT:
		return DIRECTORY_NOT_THERE;
	case LDAP_SIZELIMIT_EXCEEDED:
		return DIRECTORY_STOPPED;
	case LDAP_SERVER_DOWN:
	case LDAP_TIMEOUT:
	case LDAP_CONNECT_ERROR:
	case LDAP_BUSY:
	case LDAP_UNAVAILABLE:
	case LDAP_LOCAL_ERROR:
	case LDAP_DECODING_ERROR:
	case LDAP_NO_MEMORY:
		return DIRECTORY_LOST;
	default:
		return DIRECTORY_REFUSED;
	}
}

/* Hands the entries of one page out. false: enough. */
static bool hand_out(struct directory_conn *c, LDAPMessage *page, const struct directory_query *q, uint32_t *given,
                     directory_each_fn *each, void *context)
{
	for (LDAPMessage *m = ldap_first_entry(c->ld, page); m; m = ldap_next_entry(c->ld, m)) {
		struct directory_entry e = {.ld = c->ld, .message = m};
		bool more = (q->limit == 0 || *given < q->limit) && each(context, &e);
		entry_done(&e);
		if (!more)
			return false;
		++*given;
	}
	return true;
}

/* The cookie by which the next page is asked for; empty after the last one. */
static int next_page(struct directory_conn *c, LDAPMessage *page, struct berval *cookie)
{
	LDAPControl **controls = NULL;
	int code = LDAP_SUCCESS, result = ldap_parse_result(c->ld, page, &code, NULL, NULL, NULL, &controls, 0);
	ber_memfree(cookie->bv_val);
	*cookie = (struct berval){0};
	LDAPControl *paged = controls ? ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, NULL) : NULL;
	ber_int_t estimate;
	if (result == LDAP_SUCCESS && paged)
		result = ldap_parse_pageresponse_control(c->ld, paged, &estimate, cookie);
	ldap_controls_free(controls);
	return result ? result : code;
}

enum directory_status directory_conn_search(struct directory_conn *c, const struct directory_query *q,
                                            directory_each_fn *each, void *context, struct directory_problem *why)
{
	struct berval cookie = {0};
	uint32_t given = 0;
	int code;
	bool more = true;
	directory_deadline_set(&c->deadline, q->until);
	do {
		LDAPControl *paging = NULL;
		code = ldap_create_page_control(c->ld, DIRECTORY_PAGE, &cookie, 0, &paging);
		if (code != LDAP_SUCCESS)
			break;
		LDAPControl *controls[] = {q->scope == SCOPE_SUBTREE ? paging : NULL, NULL};
		struct timeval wait = left(q->until);
		LDAPMessage *page = NULL;
		code = ldap_search_ext_s(
		        c->ld, q->base, q->scope == SCOPE_SUBTREE ? LDAP_SCOPE_SUBTREE : LDAP_SCOPE_BASE, q->filter,
		        (char **)(uintptr_t)q->attributes, 0, controls, NULL, &wait, LDAP_NO_LIMIT, &page);
		ldap_control_free(paging);
		if (code == LDAP_SUCCESS) {
			more = hand_out(c, page, q, &given, each, context);
			code = next_page(c, page, &cookie);
		}
		ldap_msgfree(page);
	} while (more && code == LDAP_SUCCESS && cookie.bv_len);
	directory_deadline_clear(&c->deadline);
	ber_memfree(cookie.bv_val);
	if (code != LDAP_SUCCESS)
		complain_ldap(why, c, "search", code);
	return code == LDAP_SUCCESS && !more ? DIRECTORY_STOPPED : status_of(code);
}

/* ---- finding controllers ---- */

size_t directory_conn_lookup(const char *realm, char out[static DIRECTORY_CONTROLLERS][DIRECTORY_TEXT])
{
	char name[DIRECTORY_TEXT], *list = NULL, *rest, *host;
	size_t count = 0;
	if (snprintf(name, sizeof(name), "dc._msdcs.%s", realm) >= (int)sizeof(name) ||
	    ldap_domain2hostlist(name, &list) != LDAP_SUCCESS || list == NULL)
		return 0;
	for (host = strtok_r(list, " ", &rest); host && count < DIRECTORY_CONTROLLERS;
	     host = strtok_r(NULL, " ", &rest)) {
		host[strcspn(host, ":")] = 0; /* the port follows from how we bind */
		if (*host && strlen(host) < DIRECTORY_TEXT)
			strcpy(out[count++], host);
	}
	ldap_memfree(list);
	return count;
}
