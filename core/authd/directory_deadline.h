/* Ends what a thread waits for in libldap. libldap bounds connecting and whole answers, but not a TLS handshake (with GnuTLS, 2.5) nor an answer that
 * stops in its middle: a controller that goes silent there would keep one of authd's threads for ever. One thread for all shuts the socket down at the
 * deadline, and the call returns as from a lost connection. Any thread; each deadline is used by one at a time, and belongs to who declared it. */
#pragma once
#include "core/base/clock.h"
#include "core/base/list.h"

struct directory_deadline {
	struct list link;
	int fd; /* a duplicate of the socket's, owned; -1: none */
	usec_t until;
};

void directory_deadline_init(struct directory_deadline *d);
/* From now on it is that socket. Without a descriptor for the duplicate it stays as it was: not watched. */
void directory_deadline_watch(struct directory_deadline *d, int fd);
/* until: clock_now(). */
void directory_deadline_set(struct directory_deadline *d, usec_t until);
/* It returned: the socket may be used on. */
void directory_deadline_clear(struct directory_deadline *d);
void directory_deadline_done(struct directory_deadline *d);
