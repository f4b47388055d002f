#include "core/ops/proven.h"

#include "proto/uri.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_MAX = 4096, PATH_BYTES = 4200 };

static struct err wrong(const char *path, int failed)
{
	static _Thread_local char text[PATH_BYTES + 128];
	snprintf(text, sizeof(text), "%s: %s", path, strerror(failed));
	return (struct err){ERR_FILE, failed, text};
}

struct err proven_write(const char *state_directory, const struct proven *p)
{
	char path[PATH_BYTES], fresh[PATH_BYTES + 8];
	snprintf(path, sizeof(path), "%s/" PROVEN_FILE, state_directory);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	json_t *o = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:b}", "version", 1, "at", p->at, "host", p->host, "base",
	                      p->base, "scheme", p->scheme, "operations", p->operations, "licences", p->licences);
	char *text = o ? json_dumps(o, JSON_INDENT(1)) : NULL;
	json_decref(o);
	if (!text)
		return ERR_OF(NO_MEMORY);
	/* For the node's user, who is perhaps not the one who proves. */
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	size_t n = strlen(text);
	int failed = fd < 0 ? errno : 0;
	if (fd >= 0) {
		if (write(fd, text, n) != (ssize_t)n || fsync(fd))
			failed = errno ? errno : EIO;
		close(fd);
	}
	free(text);
	if (!failed && rename(fresh, path))
		failed = errno;
	return failed ? wrong(path, failed) : OK;
}

static void copy(char *out, size_t cap, const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	size_t n = 0;
	for (; s && s[n] && n + 1 < cap; n++)
		out[n] = s[n] >= ' ' && s[n] <= '~' ? s[n] : '?';
	out[n] = 0;
}

bool proven_read(const char *state_directory, const char *url, struct proven *out)
{
	char path[PATH_BYTES], bytes[FILE_MAX], host[300];
	struct uri u;
	*out = (struct proven){0};
	if (!*state_directory || uri_parse(slice_str(url), &u))
		return false;
	snprintf(path, sizeof(path), "%s/" PROVEN_FILE, state_directory);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));
	if (fd >= 0)
		close(fd);
	json_t *o = n > 0 ? json_loadb(bytes, (size_t)n, JSON_REJECT_DUPLICATES, NULL) : NULL;
	if (json_integer_value(json_object_get(o, "version")) == 1) {
		copy(out->at, sizeof(out->at), o, "at");
		copy(out->host, sizeof(out->host), o, "host");
		copy(out->base, sizeof(out->base), o, "base");
		copy(out->scheme, sizeof(out->scheme), o, "scheme");
		copy(out->operations, sizeof(out->operations), o, "operations");
		out->licences = json_is_true(json_object_get(o, "licences"));
	}
	json_decref(o);
	snprintf(host, sizeof(host), "%s:%u", u.host, u.port);
	return strlen(out->at) == 24 && strcmp(host, out->host) == 0;
}

bool proven_sentence(const char *state_directory, const char *url, char *out, size_t room)
{
	struct proven p;
	if (!proven_read(state_directory, url, &p)) {
		snprintf(out, room,
		         "not proven against a tenant: rms-connectorctl upstream prove tries whether the service takes "
		         "this node's credential");
		return false;
	}
	snprintf(out, room, "proven on %.10s against %s by %s%s", p.at, p.host, p.operations,
	         p.licences ? "" : "; certificates and licences were not asked for");
	return true;
}
