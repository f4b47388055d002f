/* What one value alone cannot tell: addresses, the service's URL, files, and settings that contradict each other. For config_load.c. */
#pragma once
#include "core/base/settings.h"
#include "core/ops/config_load.h"

#include <sys/socket.h>

/* Where things stand in the file; line 0: not given. Each of a value. */
struct config_listener_places {
	struct config_place address, behind, proxy_protocol, balancers, channel_binding;
	struct config_place certificate[2], key[2];
};

struct config_places {
	struct config_place row[SETTING_COUNT];               /* of the value */
	struct config_place upstream, listeners, stats_allow; /* of their names */
	struct config_listener_places listener[CONFIG_LISTENERS_MAX];
	struct config_place allow[CONFIG_ALLOW_MAX];
	struct config_place realms;                   /* its name */
	struct config_place realm[CONFIG_REALMS_MAX]; /* of its name */
	struct config_place credentials;              /* its name */
	struct config_place credential[CONFIG_CREDENTIALS_MAX];
};

/* a's, when it was given, else b's, else the beginning of the file. */
struct config_place config_place_or(struct config_place a, struct config_place b);
/* HOST:PORT, told when it is not. */
bool config_check_address(const char *address, const char *name, struct config_place at, struct config_problems *p,
                          struct sockaddr_storage *out);
/* Where a value stands, or else the beginning of the file. */
struct config_place config_place_of(const struct config_places *at, enum setting_id id);
uint16_t config_port_of(const struct sockaddr_storage *a);
bool config_same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b);
/* Of config_check(): what stands in listeners, and what the rest must be for it. */
void config_check_listeners(const struct settings *s, const struct config_places *at, struct config_problems *p);

/* Of config_check(): the cloud and the way to it. */
void config_check_upstream(struct settings *s, const struct config_places *at, struct config_problems *p);

/* May correct values to their usual form: the URL to its origin. */
void config_check(struct settings *s, const struct config_places *at, struct config_problems *p);
/* Whether the files that settings name can be read. */
void config_check_files(const struct settings *s, enum config_reader program, const struct config_places *at,
                        struct config_problems *p);
