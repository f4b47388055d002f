#include "core/base/settings.h"

#include <stdlib.h>
#include <string.h>

#define NUMBER_OF_U32(def)  def
#define NUMBER_OF_BOOL(def) def
#define NUMBER_OF_TEXT(def) 0
#define NUMBER_OF_PATH(def) 0
#define TEXT_OF_U32(def)    NULL
#define TEXT_OF_BOOL(def)   NULL
#define TEXT_OF_TEXT(def)   def
#define TEXT_OF_PATH(def)   def

const struct setting_row setting_rows[SETTING_COUNT] = {
#define SETTING(section_, name_, type_, def_, min_, max_, help_) \
	{.section = #section_,                                   \
	 .name = #name_,                                         \
	 .type = SETTING_##type_,                                \
	 .number = NUMBER_OF_##type_(def_),                      \
	 .text = TEXT_OF_##type_(def_),                          \
	 .min = min_,                                            \
	 .max = max_,                                            \
	 .help = help_,                                          \
	 .offset = offsetof(struct settings, section_##_##name_)},
#include "core/base/settings.def"
#undef SETTING
};

static void *place(const struct settings *s, enum setting_id id)
{
	return (char *)(uintptr_t)s + setting_rows[id].offset;
}

static bool is_text(enum setting_id id)
{
	return setting_rows[id].type == SETTING_TEXT || setting_rows[id].type == SETTING_PATH;
}

bool settings_set_text(struct settings *s, enum setting_id id, const char *text, size_t len)
{
	char *copy = strndup(text, len), **at = place(s, id);
	if (!copy)
		return false;
	free(*at);
	*at = copy;
	return true;
}

const char *settings_get_text(const struct settings *s, enum setting_id id)
{
	return is_text(id) ? *(char **)place(s, id) : NULL;
}

struct settings *settings_new(void)
{
	struct settings *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	for (unsigned id = 0; id < SETTING_COUNT; id++) {
		const struct setting_row *row = &setting_rows[id];
		if (row->type == SETTING_U32)
			*(uint32_t *)place(s, id) = row->number;
		else if (row->type == SETTING_BOOL)
			*(bool *)place(s, id) = row->number;
		else if (!settings_set_text(s, id, row->text, strlen(row->text))) {
			settings_free(s);
			return NULL;
		}
	}
	return s;
}

static void free_listener(struct listener_settings *l)
{
	free(l->address);
	for (size_t i = 0; i < 2; i++) {
		free(l->certificates[i]);
		free(l->keys[i]);
	}
	for (size_t i = 0; i < l->balancer_count; i++)
		free(l->balancers[i]);
	free(l->balancers);
}

static void free_credential(struct credential_settings *c)
{
	free(c->name);
	free(c->entries);
#define CREDENTIAL_MEMBER(member, type, takes, needs, help) free(c->member);
#include "core/base/credentials.def"
}

const char *credential_kind_word(enum credential_kind kind)
{
	static const char *const words[] = {
#define CREDENTIAL_KIND(name, word, people) word,
#include "core/base/credentials.def"
	};
	return words[kind];
}

const char *credential_kind_people(enum credential_kind kind)
{
	static const char *const people[] = {
#define CREDENTIAL_KIND(name, word, people) people,
#include "core/base/credentials.def"
	};
	return people[kind];
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	for (unsigned id = 0; id < SETTING_COUNT; id++)
		if (is_text(id))
			free(*(char **)place(s, id));
	for (size_t i = 0; i < s->listener_count; i++)
		free_listener(&s->listeners[i]);
	free(s->listeners);
	for (size_t i = 0; i < s->stats_allow_count; i++)
		free(s->stats_allow[i]);
	free(s->stats_allow);
	for (size_t i = 0; i < s->realm_count; i++) {
		free(s->realms[i].name);
		free(s->realms[i].domains);
		for (size_t k = 0; k < s->realms[i].controller_count; k++)
			free(s->realms[i].controllers[k]);
		free(s->realms[i].controllers);
		free(s->realms[i].bind_dn);
		free(s->realms[i].password_file);
		free(s->realms[i].ca_file);
	}
	free(s->realms);
	for (size_t i = 0; i < s->credential_count; i++)
		free_credential(&s->credentials[i]);
	free(s->credentials);
	free(s->loopback_caller.account);
	free(s->loopback_caller.role);
	free(s);
}
