/* servers add: lets somebody in. What the role exchange opens makes it ask twice: for a security group, and how many accounts that is. */
#include "core/ops/admin_change.h"
#include "core/ops/admin_exchange.h"
#include "core/ops/admin_who.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* From turn to turn. */
struct adding {
	enum authlist_role role;
	enum authlist_kind kind; /* as given */
	bool kind_given;
	struct authlist_entry entry; /* its object is the call's who */
};

static bool read_adding(struct admin_call *c, struct adding *a)
{
	const char *name = admin_text(c, "name");
	const char *wrong = name ? authlist_text_wrong(slice_str(name)) : NULL;
	if (!admin_role_read(c, &a->role) || !admin_kind_read(c, &a->kind, &a->kind_given))
		return false;
	if (wrong) {
		admin_fail(c, EX_DATAERR, "", "the name %s", wrong);
		return false;
	}
	return true;
}

static void add_it(struct admin_call *c, json_t *accounts)
{
	struct adding *a = c->own;
	json_t *o = json_object();
	if (accounts)
		admin_set(o, "accounts", accounts);
	admin_change(c, &(struct admin_edit){.add = &a->entry}, o);
}

/* What is given besides the SID must agree with what the directory says. false: the call has ended with an error. */
static bool agree(struct admin_call *c, struct adding *a)
{
	char words[ADMIN_WHO_BYTES];
	const char *name = admin_text(c, "name");
	if (a->kind_given && !admin_kind_agrees(c, a->kind))
		return false;
	if (name) {
		free(c->who.object.name);
		c->who.object.name = strdup(name);
	}
	if (c->who.gone && !admin_flag(c, "force")) {
		admin_fail(c, EX_DATAERR, "give --force if it is of a forest that this node does not ask", "%s: %s",
		           admin_object_words(&c->who.object, words), c->who.problem);
		return false;
	}
	if (c->who.problem[0])
		admin_say(c, "Warning: it was not looked up: %s", c->who.problem);
	if (c->who.disabled)
		admin_say(c,
		          "Warning: this account is disabled in the directory, so it is refused until it is enabled.");
	return true;
}

static void add_found(struct admin_call *c)
{
	char words[ADMIN_WHO_BYTES];
	struct adding *a = c->own;
	const struct authlist_rows *rows;
	if (!admin_base(c, &rows))
		return;
	const struct authlist_entry *there = admin_entry_of(rows, &c->who.object);
	if (there) {
		admin_fail(c, EX_DATAERR, "an object has one role; remove it first to give it another",
		           "%s is on the list already, with the role %s", admin_object_words(&c->who.object, words),
		           authlist_role_word(there->role));
		return;
	}
	if (!agree(c, a))
		return;
	a->entry = (struct authlist_entry){.object = c->who.object,
	                                   .role = a->role,
	                                   .kind = c->who.looked_up ? c->who.kind : a->kind,
	                                   .added_s = time(NULL)};
	if (a->role == AUTHLIST_ROLE_EXCHANGE)
		admin_exchange_check(c, a->entry.kind, add_it);
	else
		add_it(c, NULL);
}

void admin_run_servers_add(struct admin_call *c)
{
	const struct authlist_rows *rows;
	struct adding *a = calloc(1, sizeof(*a));
	c->own = a;
	c->own_done = free;
	if (!a)
		admin_fail(c, EX_OSERR, "", "the node is out of memory");
	else if (read_adding(c, a) && admin_base(c, &rows))
		admin_who_find(c, admin_text(c, "who"), WHOM_DIRECTORY, add_found);
}
