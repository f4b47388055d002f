#include "core/ops/config_load_listeners.h"
#include "core/base/address_list.h"

#include <stdlib.h>
#include <string.h>

struct pair_reading {
	const char *listener; /* "listeners[0]" */
	char **certificate, **key;
	struct config_place *certificate_at, *key_at;
};

static void read_path_into(struct reader *r, const char *of, const struct key *key, char **out)
{
	struct name n = name_of(of, key->text);
	if (*out) {
		config_problem(r->problems, key->at, "%s is given twice. Keep one", n.text);
		reader_skip(r);
	} else if (reader_expect_scalar(r, n.text) && reader_path_is_fine(r, n.text, 4096)) {
		if (reader_scalar(r).len == 0)
			config_problem(r->problems, reader_place(r),
			               "%s is empty: name a file, or take tls away for plain HTTP", n.text);
		else if (!(*out = strndup(reader_scalar(r).at, reader_scalar(r).len)))
			reader_no_memory(r);
	}
}

static void pair_member(struct reader *r, const struct key *key, void *context)
{
	struct pair_reading *pair = context;
	static const char *const names[] = {"certificate", "key", NULL};
	if (strcmp(key->text, "certificate") == 0) {
		*pair->certificate_at = reader_place(r);
		read_path_into(r, pair->listener, key, pair->certificate);
	} else if (strcmp(key->text, "key") == 0) {
		*pair->key_at = reader_place(r);
		read_path_into(r, pair->listener, key, pair->key);
	} else {
		reader_unknown(r, key, "in tls of a listener, which has certificate and key", names);
	}
}

struct listener_reading {
	char name[24];
	size_t index, pairs;
	unsigned seen; /* bits of members */
};

static struct config_listener_places *places_of(struct reader *r, const struct listener_reading *l)
{
	return &r->places.listener[l->index];
}

static void read_pair(struct reader *r, void *context)
{
	struct listener_reading *l = context;
	struct listener_settings *into = &r->settings->listeners[l->index];
	if (r->event.type != YAML_MAPPING_START_EVENT) {
		config_problem(r->problems, reader_place(r),
		               "%s.tls holds certificate: FILE and key: FILE, and this is %s", l->name,
		               reader_shape(r));
		reader_skip(r);
	} else if (l->pairs == ARRAY_COUNT(into->certificates)) {
		config_problem(
		        r->problems, reader_place(r),
		        "%s.tls has more than two certificates: one with an RSA and one with an ECDSA key are enough",
		        l->name);
		reader_skip(r);
	} else {
		struct config_place begin = reader_place(r);
		struct pair_reading pair = {l->name, &into->certificates[l->pairs], &into->keys[l->pairs],
		                            &places_of(r, l)->certificate[l->pairs], &places_of(r, l)->key[l->pairs]};
		size_t errors = r->problems->errors;
		l->pairs++;
		reader_each_member(r, pair_member, &pair);
		if (!r->stopped && r->problems->errors == errors && (!*pair.certificate || !*pair.key))
			config_problem(r->problems, begin, "%s.tls needs both, certificate: FILE and key: FILE",
			               l->name);
	}
}

static void read_address(struct reader *r, const struct key *key, struct listener_reading *l)
{
	struct listener_settings *into = &r->settings->listeners[l->index];
	struct name n = name_of(l->name, key->text);
	places_of(r, l)->address = reader_place(r);
	if (reader_expect_scalar(r, n.text) && reader_text_is_fine(r, n.text) &&
	    !(into->address = strndup(reader_scalar(r).at, reader_scalar(r).len)))
		reader_no_memory(r);
}

static void read_tls(struct reader *r, const struct key *key, struct listener_reading *l)
{
	struct config_place begin = reader_place(r);
	if (r->event.type == YAML_SEQUENCE_START_EVENT)
		reader_each_entry(r, read_pair, l);
	else
		read_pair(r, l);
	if (!r->stopped && l->pairs == 0 && r->event.type == YAML_SEQUENCE_END_EVENT)
		config_problem(r->problems, begin,
		               "%s is an empty list: name a certificate and a key, or take tls away for plain HTTP",
		               name_of(l->name, key->text).text);
}

/* One of three words; else told, and *out stays. */
static void read_word(struct reader *r, const char *name, const char *const words[3], uint8_t *out)
{
	if (!reader_expect_scalar(r, name))
		return;
	for (uint8_t i = 0; i < 3; i++) {
		if (slice_equal(reader_scalar(r), slice_str(words[i]))) {
			*out = i;
			return;
		}
	}
	config_problem(r->problems, reader_place(r), "%s must be %s, %s or %s", name, words[0], words[1], words[2]);
}

static void read_behind(struct reader *r, const struct key *key, struct listener_reading *l)
{
	static const char *const words[] = {[BEHIND_DIRECT] = "direct", [BEHIND_L4] = "l4", [BEHIND_L7] = "l7"};
	places_of(r, l)->behind = reader_place(r);
	read_word(r, name_of(l->name, key->text).text, words, &r->settings->listeners[l->index].behind);
}

static void read_binding(struct reader *r, const struct key *key, struct listener_reading *l)
{
	static const char *const words[] = {
	        [BINDING_OFF] = "off", [BINDING_ACCEPT] = "accept", [BINDING_REQUIRE] = "require"};
	places_of(r, l)->channel_binding = reader_place(r);
	read_word(r, name_of(l->name, key->text).text, words, &r->settings->listeners[l->index].channel_binding);
}

static void read_proxy_protocol(struct reader *r, const struct key *key, struct listener_reading *l)
{
	struct name n = name_of(l->name, key->text);
	places_of(r, l)->proxy_protocol = reader_place(r);
	if (reader_expect_scalar(r, n.text))
		reader_bool(r, n.text, &r->settings->listeners[l->index].proxy_protocol);
}

static void read_balancer(struct reader *r, void *context)
{
	struct listener_reading *l = context;
	struct listener_settings *into = &r->settings->listeners[l->index];
	struct name n = name_of(l->name, "balancers");
	struct address_prefix prefix;
	if (!reader_expect_scalar(r, n.text))
		return;
	if (into->balancer_count == CONFIG_BALANCERS_MAX) {
		config_problem(r->problems, reader_place(r), "%s has more than %d entries: use prefixes", n.text,
		               CONFIG_BALANCERS_MAX);
		r->stopped = true;
		return;
	}
	char **more = realloc(into->balancers, (into->balancer_count + 1) * sizeof(*more));
	if (more)
		into->balancers = more;
	char *text = more ? strndup(reader_scalar(r).at, reader_scalar(r).len) : NULL;
	if (!text) {
		reader_no_memory(r);
		return;
	}
	more[into->balancer_count++] = text;
	const char *wrong =
	        strlen(text) == reader_scalar(r).len ? address_prefix_parse(text, &prefix) : "an address or a prefix";
	if (wrong)
		config_problem(r->problems, reader_place(r), "an entry of %s must be %s", n.text, wrong);
	else if (prefix.bits == 0 || prefix.bits == 96)
		config_problem(r->problems, reader_place(r),
		               "an entry of %s is everybody, so everybody could say that a connection is somebody "
		               "else's: name the balancers' own addresses",
		               n.text);
}

static void read_balancers(struct reader *r, const struct key *key, struct listener_reading *l)
{
	reader_list(r, key, name_of(l->name, key->text).text, &places_of(r, l)->balancers, read_balancer, l,
	            "balancers: [192.0.2.10, 192.0.2.11]");
}

static const struct {
	const char *name;
	void (*read)(struct reader *r, const struct key *key, struct listener_reading *l);
} members[] = {{"address", read_address},     {"tls", read_tls},
               {"behind", read_behind},       {"proxy_protocol", read_proxy_protocol},
               {"balancers", read_balancers}, {"channel_binding", read_binding}};

static void listener_member(struct reader *r, const struct key *key, void *context)
{
	struct listener_reading *l = context;
	const char *names[ARRAY_COUNT(members) + 1] = {NULL};
	for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
		names[i] = members[i].name;
		if (strcmp(key->text, members[i].name))
			continue;
		if (l->seen & 1u << i) {
			config_problem(r->problems, key->at,
			               "%s is given twice. Keep one; a second listener begins with a dash",
			               name_of(l->name, key->text).text);
			reader_skip(r);
			return;
		}
		l->seen |= 1u << i;
		members[i].read(r, key, l);
		return;
	}
	reader_unknown(r, key,
	               "in a listener, which has address, tls, behind, proxy_protocol, balancers and channel_binding",
	               names);
}

static void read_listener(struct reader *r, void *context)
{
	struct settings *s = r->settings;
	struct listener_reading l = {.index = s->listener_count};
	if (r->event.type != YAML_MAPPING_START_EVENT) {
		config_problem(r->problems, reader_place(r),
		               "a listener is written - address: HOST:PORT, and this is %s", reader_shape(r));
		reader_skip(r);
		return;
	}
	if (l.index == CONFIG_LISTENERS_MAX) {
		config_problem(r->problems, reader_place(r), "there are more than %d listeners", CONFIG_LISTENERS_MAX);
		r->stopped = true;
		return;
	}
	struct listener_settings *more = realloc(s->listeners, (l.index + 1) * sizeof(*more));
	if (!more) {
		reader_no_memory(r);
		return;
	}
	s->listeners = more;
	more[l.index] = (struct listener_settings){0};
	s->listener_count++;
	places_of(r, &l)->address = reader_place(r);
	snprintf(l.name, sizeof(l.name), "listeners[%u]", (unsigned)l.index);
	reader_each_member(r, listener_member, &l);
	/* A proxy that reads HTTP has a certificate of its own, which callers bind to. */
	if (!places_of(r, &l)->channel_binding.line && l.pairs && s->listeners[l.index].behind != BEHIND_L7)
		s->listeners[l.index].channel_binding = BINDING_ACCEPT;
}

void reader_listeners(struct reader *r, const struct key *key)
{
	reader_list(r, key, "listeners", &r->places.listeners, read_listener, NULL,
	            "- address: HOST:PORT on a line below");
}
