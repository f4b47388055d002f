/* The configuration file (YAML, by libyaml) to settings: every problem at once, with file, line and column. Main thread, at start and for -t. */
#pragma once
#include "core/base/err.h"
#include "core/base/settings.h"
#include "core/base/slice.h"
#include "core/ops/config_problems.h"

enum {
	CONFIG_FILE_BYTES = 1024 * 1024,
	CONFIG_LISTENERS_MAX = 64,
	CONFIG_ALLOW_MAX = 256,
	CONFIG_BALANCERS_MAX = 64, /* of one listener */
	CONFIG_REALMS_MAX = 64,
	CONFIG_CONTROLLERS_MAX = 16,
	CONFIG_DOMAINS_MAX = 64, /* of one realm */
	CONFIG_CREDENTIALS_MAX = 16,
	CONFIG_CREDENTIAL_ENTRIES_MAX = 256, /* of one credential */
};
enum config_reader { CONFIG_NODE, CONFIG_AUTHD }; /* which program: each may read files that the other must not */

/* *problems is zeroed here and filled also on success (warnings); end it with config_problems_done(). path must outlive it. ERR_SETTINGS, or ERR_FILE
 * when the file cannot be read at all: that is in problems as well. */
struct err config_load(const char *path, struct settings **out, struct config_problems *problems);
struct err config_load_for(enum config_reader program, const char *path, struct settings **out,
                           struct config_problems *problems);
/* The same from memory; certificates and other files that the settings name are not looked at. */
struct err config_load_bytes(const char *name, struct slice bytes, struct settings **out,
                             struct config_problems *problems);
