/* One immutable, counted snapshot of the configuration; rows in settings.def. Any thread may read; counted without atomics only inside one
 * thread: the server owns it for the life of the process, workers borrow it. Made by core/ops/config_load.c, which says where a value is wrong. */
#pragma once
#include "core/base/authlist_rows.h"
#include "core/base/sid.h"

/* What stands between callers and a listener: nothing; something that passes bytes on, one connection for each of a caller's; or something that reads
 * HTTP and may send requests of several callers over one connection. */
enum behind { BEHIND_DIRECT, BEHIND_L4, BEHIND_L7 };

/* Whether what callers prove must be bound to their TLS connection: not looked at; refused when it is bound to another; refused unless it is to this one. */
enum channel_binding { BINDING_OFF, BINDING_ACCEPT, BINDING_REQUIRE };

struct listener_settings {
	char *address;                   /* "0.0.0.0:443", "[::]:80" */
	char *certificates[2], *keys[2]; /* PEM files; NULL: plain HTTP. Two when an RSA and an ECDSA pair are given */
	uint8_t behind;                  /* enum behind */
	uint8_t channel_binding;         /* enum channel_binding; ACCEPT by default where it can be right */
	bool proxy_protocol;             /* a PROXY header (version 1 or 2) is required */
	char **balancers;                /* addresses and prefixes whose header is believed */
	size_t balancer_count;
};

struct realm_settings { /* a Kerberos realm whose accounts may be callers */
	char *name;
	bool directory;      /* its tickets carry a PAC; else accounts are principal names */
	struct sid *domains; /* whose SIDs it may speak for; none: every one, for the keytab's own realms only */
	size_t domain_count;
	char **controllers; /* of its directory; NULL at the end, or NULL: found by SRV records */
	size_t controller_count;
	char *bind_dn, *password_file, *ca_file; /* LDAPS with a simple bind; NULL: Kerberos with the keytab */
};

enum credential_kind {
#define CREDENTIAL_KIND(name, word, people) CREDENTIAL_##name,
#include "core/base/credentials.def"
	CREDENTIAL_KIND_COUNT
};

struct credential_settings { /* what proves the tenant to the cloud, for some roles or for single entries of the list */
	char *name;
	enum credential_kind kind;
	uint32_t roles;      /* a bit for each enum authlist_role */
	struct sid *entries; /* of the list, whatever their role; these come before roles */
	size_t entry_count;
#define CREDENTIAL_MEMBER(member, type, takes, needs, help) char *member; /* NULL: not given */
#include "core/base/credentials.def"
};

/* The words of a kind: "static", and what it does. */
const char *credential_kind_word(enum credential_kind kind);
const char *credential_kind_people(enum credential_kind kind);

struct loopback_caller { /* --loopback-caller ACCOUNT=ROLE; NULL account: off */
	char *account, *role;
};

#define SETTING_C_U32  uint32_t
#define SETTING_C_BOOL bool
#define SETTING_C_TEXT char *
#define SETTING_C_PATH char *

struct settings {
#define SETTING(section, name, type, def, min, max, help) SETTING_C_##type section##_##name;
#include "core/base/settings.def"
#undef SETTING
	struct listener_settings *listeners;
	size_t listener_count;
	char **stats_allow; /* addresses or prefixes ("10.0.0.0/8") that may read statistics */
	size_t stats_allow_count;
	struct realm_settings *realms;
	size_t realm_count;
	struct credential_settings *credentials;
	size_t credential_count;
	struct loopback_caller loopback_caller;
};

/* The rows as a table, for whoever reads, writes or explains settings by name. */
enum setting_type { SETTING_U32, SETTING_BOOL, SETTING_TEXT, SETTING_PATH };

enum setting_id {
#define SETTING(section, name, type, def, min, max, help) SETTING_##section##_##name,
#include "core/base/settings.def"
#undef SETTING
	SETTING_COUNT
};

struct setting_row {
	const char *section, *name;
	enum setting_type type;
	uint32_t number;  /* default of U32 and BOOL */
	const char *text; /* default of TEXT and PATH */
	uint32_t min, max;
	const char *help;
	size_t offset; /* in struct settings */
};
extern const struct setting_row setting_rows[SETTING_COUNT];

/* Replaces a TEXT or PATH. false: no memory, the old value stays. */
bool settings_set_text(struct settings *s, enum setting_id id, const char *text, size_t len);
const char *settings_get_text(const struct settings *s, enum setting_id id);

/* Every default set, no listener. NULL when there is no memory. */
struct settings *settings_new(void);
void settings_free(struct settings *s);
