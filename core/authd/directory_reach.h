/* Why a domain controller cannot be contacted. libldap says only that it cannot; an administrator has to know whether the name, the way or the port is
 * wrong. Blocking, after a failure only: for authd's worker threads. */
#pragma once
#include "core/authd/directory_conn.h"

/* Looks the name up and connects. true: why says what fails, DNS or TCP. false: the port takes connections, so something above TCP is wrong.
 * No wait for a connection is longer than until (clock_now()) or two seconds. */
bool directory_reach_fails(const char *host, int port, usec_t until, struct directory_problem *why);
