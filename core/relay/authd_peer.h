/* Whose process may be rms-connector-authd: who answers on its socket says who callers are. Any thread. */
#pragma once
#include "core/net/channel.h"

/* root, this process's own user, and the owner of the directory in which auth.socket is, which is made for authd (unless everybody may write there). For
 * struct channel_events. */
bool authd_peer_is_trusted(const struct channel *c, uid_t who);
/* The same for a path. own: this process's user. */
bool authd_peer_may(const char *path, uid_t who, uid_t own);
