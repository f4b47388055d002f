#include "proto/soap_readers.h"

/* A matcher, not a parser: whatever it does not know, it is unsure about. It must never be sure of something that a real parser would see
 * differently, so it checks all that makes such a start well formed: names, nesting, attributes given twice, prefixes without a namespace.
 *
 *   [BOM] [declaration] <p:Envelope ...> [<p:Header> ... </p:Header>] <p:Body ...> <child ...>
 */
enum { SCOPE_MAX = 12, DEPTH_MAX = 8, ATTRIBUTES_MAX = 12 };

struct matcher {
	const char *p, *end;
	bool unsure;                   /* else running out of bytes means: more */
	struct slice scope[SCOPE_MAX]; /* prefixes declared so far; Header's children declare none */
	size_t scope_count;
};

struct name {
	struct slice prefix, local, whole;
};

struct tag {
	struct name name;
	bool empty;                 /* ends in "/>" */
	struct slice own_default;   /* xmlns="..." */
	struct slice own_namespace; /* of xmlns:p="..." where p is the tag's own prefix */
	size_t declared;            /* prefixes it declared: the last ones in scope */
	size_t other_attributes, prefixed_attributes;
};

static bool give_up(struct matcher *m)
{
	m->unsure = true;
	return false;
}

/* Every function that returns false has run out of bytes, or given up. */
static bool take(struct matcher *m, char c)
{
	if (m->p == m->end)
		return false;
	if (*m->p != c)
		return give_up(m);
	m->p++;
	return true;
}

enum { SPACE = 1, NAME_START = 2, NAME = 4, TEXT = 8, VALUE = 16 };

/* TEXT: between tags; VALUE: in attributes. Neither has what must be looked at twice: references, "]]>", line ends that change, 8-bit text. */
static const uint8_t classes[256] = {
        ['\t'] = SPACE | TEXT,
        ['\n'] = SPACE | TEXT,
        ['\r'] = SPACE | TEXT,
        [' '] = SPACE | TEXT | VALUE,
        ['!'] = TEXT | VALUE,
        ['#' ... '%'] = TEXT | VALUE,
        ['(' ... ','] = TEXT | VALUE,
        ['-' ... '.'] = NAME | TEXT | VALUE,
        ['/'] = TEXT | VALUE,
        ['0' ... '9'] = NAME | TEXT | VALUE,
        [':' ... ';'] = TEXT | VALUE,
        ['=' ... '@'] = TEXT | VALUE,
        ['A' ... 'Z'] = NAME_START | NAME | TEXT | VALUE,
        ['['] = TEXT | VALUE,
        ['\\'] = TEXT | VALUE,
        ['^'] = TEXT | VALUE,
        ['_'] = NAME_START | NAME | TEXT | VALUE,
        ['`'] = TEXT | VALUE,
        ['a' ... 'z'] = NAME_START | NAME | TEXT | VALUE,
        ['{' ... '~'] = TEXT | VALUE,
};

static bool is(char c, uint8_t class)
{
	return classes[(uint8_t)c] & class;
}

static void skip(struct matcher *m, uint8_t class)
{
	const char *p = m->p, *end = m->end;
	while (p < end && is(*p, class))
		p++;
	m->p = p;
}

static bool skip_space(struct matcher *m)
{
	skip(m, SPACE);
	return m->p < m->end;
}

static bool take_part(struct matcher *m, struct slice *out)
{
	const char *start = m->p;
	if (m->p == m->end)
		return false;
	if (!is(*m->p, NAME_START))
		return give_up(m);
	skip(m, NAME);
	*out = slice_of(start, (size_t)(m->p - start));
	return m->p < m->end;
}

static bool take_name(struct matcher *m, struct name *out)
{
	const char *start = m->p;
	*out = (struct name){0};
	if (!take_part(m, &out->local))
		return false;
	if (*m->p == ':') {
		m->p++;
		out->prefix = out->local;
		if (!take_part(m, &out->local))
			return false;
	}
	out->whole = slice_of(start, (size_t)(m->p - start));
	return true;
}

static bool take_value(struct matcher *m, struct slice *out)
{
	if (m->p == m->end)
		return false;
	char quote = *m->p++;
	if (quote != '"' && quote != '\'')
		return give_up(m);
	const char *start = m->p;
	skip(m, VALUE);
	*out = slice_of(start, (size_t)(m->p - start));
	return take(m, quote);
}

static bool in_scope(const struct matcher *m, struct slice prefix)
{
	for (size_t i = 0; i < m->scope_count; i++)
		if (slice_equal(m->scope[i], prefix))
			return true;
	return false;
}

/* The namespaces of XML itself have rules of their own. */
static bool is_plain_namespace(struct slice value)
{
	return value.len && !slice_starts_with(value, SLICE("http://www.w3.org/XML/1998/namespace")) &&
	       !slice_starts_with(value, SLICE("http://www.w3.org/2000/xmlns"));
}

static bool declare(struct matcher *m, struct tag *t, struct slice prefix, struct slice value)
{
	if (slice_starts_with(prefix, SLICE("xml")) || !is_plain_namespace(value) || in_scope(m, prefix) ||
	    m->scope_count == SCOPE_MAX)
		return give_up(m);
	m->scope[m->scope_count++] = prefix;
	t->declared++;
	if (slice_equal(prefix, t->name.prefix))
		t->own_namespace = value;
	return true;
}

static bool note_attribute(struct matcher *m, struct tag *t, const struct name *name, struct slice value)
{
	if (slice_equal(name->prefix, SLICE("xmlns")))
		return declare(m, t, name->local, value);
	if (slice_equal(name->whole, SLICE("xmlns"))) {
		if (slice_starts_with(value, SLICE("http://www.w3.org/XML/1998/namespace")) ||
		    slice_starts_with(value, SLICE("http://www.w3.org/2000/xmlns")))
			return give_up(m);
		t->own_default = value;
		return true;
	}
	t->other_attributes++;
	if (name->prefix.len == 0)
		return true;
	t->prefixed_attributes++; /* two of them may be the same one by two prefixes */
	return in_scope(m, name->prefix) && t->prefixed_attributes == 1 ? true : give_up(m);
}

/* Behind '<', up to and with '>'. */
static bool take_tag(struct matcher *m, struct tag *t)
{
	struct slice seen[ATTRIBUTES_MAX];
	size_t count = 0;
	*t = (struct tag){0};
	if (!take_name(m, &t->name))
		return false;
	while (true) {
		bool space = m->p < m->end && is(*m->p, SPACE);
		struct name name;
		struct slice value;
		if (!skip_space(m))
			return false;
		if (*m->p == '>' || *m->p == '/') {
			t->empty = *m->p == '/';
			if (t->empty)
				m->p++;
			return take(m, '>');
		}
		if (!space || count == ATTRIBUTES_MAX)
			return give_up(m);
		if (!take_name(m, &name) || !take(m, '=') || !take_value(m, &value))
			return false;
		for (size_t i = 0; i < count; i++)
			if (slice_equal(seen[i], name.whole))
				return give_up(m);
		seen[count++] = name.whole;
		if (!note_attribute(m, t, &name, value))
			return false;
	}
}

/* A declared prefix counts for the whole tag, so this can only be asked at its end; an attribute that used one before its declaration has already
 * made us unsure. */
static bool has_namespace(struct matcher *m, const struct tag *t)
{
	return t->name.prefix.len == 0 || in_scope(m, t->name.prefix) ? true : give_up(m);
}

static bool take_declaration(struct matcher *m)
{
	static const struct slice known[] = {
	        {"<?xml version=\"1.0\" encoding=\"utf-8\"?>", 38},
	        {"<?xml version=\"1.0\" encoding=\"UTF-8\"?>", 38},
	        {"<?xml version=\"1.0\"?>", 21},
	};
	struct slice rest = slice_of(m->p, (size_t)(m->end - m->p));
	if (!slice_starts_with(rest, SLICE("<?")))
		return true;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (slice_starts_with(rest, known[i])) {
			m->p += known[i].len;
			return true;
		}
		if (slice_starts_with(known[i], rest))
			return false;
	}
	return give_up(m);
}

static bool take_envelope(struct matcher *m, struct name *out)
{
	struct tag t;
	if (!skip_space(m) || !take(m, '<') || !take_tag(m, &t))
		return false;
	struct slice namespace = t.name.prefix.len ? t.own_namespace : t.own_default;
	if (t.empty || t.other_attributes || !slice_equal(t.name.local, SLICE("Envelope")) ||
	    (!slice_equal(namespace, soap_namespaces[SOAP_11]) && !slice_equal(namespace, soap_namespaces[SOAP_12])))
		return give_up(m);
	*out = t.name;
	return true;
}

/* Text inside Header, up to the next '<'. "]]>" must not be in it. */
static bool skip_text(struct matcher *m)
{
	skip(m, TEXT);
	if (m->p < m->end && *m->p != '<')
		return give_up(m);
	return m->p < m->end;
}

static bool take_end_tag(struct matcher *m, struct slice open)
{
	struct name name;
	if (!take(m, '/') || !take_name(m, &name) || !skip_space(m))
		return false;
	return slice_equal(name.whole, open) ? take(m, '>') : give_up(m);
}

/* Behind <p:Header>, up to and with </p:Header>. */
static bool skip_header(struct matcher *m, struct slice header)
{
	struct slice open[DEPTH_MAX] = {header};
	size_t depth = 1;
	while (depth) {
		struct tag t;
		if (!skip_text(m) || !take(m, '<') || m->p == m->end)
			return false;
		if (*m->p == '/') {
			if (!take_end_tag(m, open[--depth]))
				return false;
			continue;
		}
		if (!take_tag(m, &t) || !has_namespace(m, &t))
			return false;
		if (t.declared)
			return give_up(m);
		if (t.empty)
			continue;
		if (depth == DEPTH_MAX)
			return give_up(m);
		open[depth++] = t.name.whole;
	}
	return true;
}

/* The next child of Envelope: Header or Body, in the namespace of Envelope because they have its prefix and do not change it. */
static bool take_part_of_envelope(struct matcher *m, const struct name *envelope, struct tag *t)
{
	if (!skip_space(m) || !take(m, '<') || !take_tag(m, t))
		return false;
	if (!slice_equal(t->name.prefix, envelope->prefix) || t->own_default.at || t->other_attributes)
		return give_up(m);
	return true;
}

static bool match(struct matcher *m, struct slice *child)
{
	struct name envelope;
	struct tag t;
	if (m->end - m->p >= 3 && memcmp(m->p, "\xef\xbb\xbf", 3) == 0)
		m->p += 3;
	if (!take_declaration(m) || !take_envelope(m, &envelope) || !take_part_of_envelope(m, &envelope, &t))
		return false;
	if (slice_equal(t.name.local, SLICE("Header"))) {
		if (t.declared)
			return give_up(m);
		if (!t.empty && !skip_header(m, t.name.whole))
			return false;
		if (!take_part_of_envelope(m, &envelope, &t))
			return false;
	}
	if (!slice_equal(t.name.local, SLICE("Body")) || t.empty)
		return give_up(m);
	if (!skip_space(m) || !take(m, '<') || !take_tag(m, &t) || !has_namespace(m, &t))
		return false;
	*child = t.name.local;
	return true;
}

enum soap_guess soap_read_prefix(struct slice bytes, struct slice *child)
{
	struct matcher m = {.p = bytes.at, .end = bytes.at + bytes.len};
	if (match(&m, child))
		return SOAP_SURE_FOUND;
	return m.unsure ? SOAP_UNSURE : SOAP_SURE_MORE;
}
