/* What one value alone cannot tell: addresses, the service's URL, files, and settings that contradict each other. For config_load.c. */
#pragma once
#include "core/base/settings.h"
#include "core/ops/config_load.h"

/* Where things stand in the file; line 0: not given. */
struct config_places {
	struct config_place row[SETTING_COUNT];               /* of the value */
	struct config_place upstream, listeners, stats_allow; /* of their names */
	struct config_place listener[CONFIG_LISTENERS_MAX];   /* of its address */
	struct config_place pair[CONFIG_LISTENERS_MAX][2];    /* of its certificate */
	struct config_place pair_key[CONFIG_LISTENERS_MAX][2];
	struct config_place allow[CONFIG_ALLOW_MAX];
	struct config_place realms;                   /* its name */
	struct config_place realm[CONFIG_REALMS_MAX]; /* of its name */
	struct config_place credentials;              /* its name */
	struct config_place credential[CONFIG_CREDENTIALS_MAX];
};

/* May correct values to their usual form: the URL to its origin. */
void config_check(struct settings *s, const struct config_places *at, struct config_problems *p);
/* Whether the files that settings name can be read. */
void config_check_files(const struct settings *s, enum config_reader program, const struct config_places *at,
                        struct config_problems *p);
