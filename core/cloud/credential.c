#include "core/cloud/credential.h"

#include "core/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct credential {
	const struct credential_settings *settings;
	uint32_t serial;
	char name[80]; /* "credentials.NAME", for messages */
};

/* The one line of the file, without its end. *len: of out. */
static struct err read_line(const char *path, char out[static CREDENTIAL_WORDS_MAX], size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, CREDENTIAL_WORDS_MAX);
	int failed = errno;
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return ERR_OF(
		        FILE, .sys = -failed,
		        .what = "authorization_file cannot be read: check its path and that this user may read it");
	while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == '\r'))
		n--;
	for (ssize_t i = 0; i < n; i++)
		if ((unsigned char)out[i] < ' ' || out[i] == 127)
			n = 0;
	if (n == 0 || n == CREDENTIAL_WORDS_MAX)
		return ERR_OF(FILE, .what = "authorization_file must hold one line of printable text, for instance: "
		                            "Bearer TOKEN");
	*len = (size_t)n;
	return OK;
}

static struct err say(struct credentials *all, struct credential *c, struct slice authorization)
{
	struct credential_words *w = credential_words_new(slice_str(all->host), authorization, c->serial + 1);
	if (!w)
		return ERR_OF(NO_MEMORY);
	c->serial++;
	all->on_words(all->owner, (size_t)(c - all->list), w);
	credential_words_unref(w);
	return OK;
}

static struct err load(struct credentials *all, struct credential *c)
{
	char line[CREDENTIAL_WORDS_MAX];
	size_t n = 0;
	if (c->settings->kind == CREDENTIAL_STATIC)
		TRY(read_line(c->settings->authorization_file, line, &n));
	struct err failed = say(all, c, slice_of(line, n));
	explicit_bzero(line, n);
	return failed;
}

struct err credentials_open(struct credentials *all, struct loop *loop, const struct settings *settings,
                            const char *host, const char **where)
{
	all->loop = loop;
	all->settings = settings;
	snprintf(all->host, sizeof(all->host), "%s", host);
	all->list = calloc(settings->credential_count + 1, sizeof(*all->list));
	if (!all->list)
		return ERR_OF(NO_MEMORY);
	for (size_t i = 0; i < settings->credential_count; i++) {
		struct credential *c = &all->list[i];
		c->settings = &settings->credentials[i];
		snprintf(c->name, sizeof(c->name), "credentials.%s", c->settings->name);
		*where = c->name;
		TRY(load(all, c));
	}
	return OK;
}

void credentials_reload(struct credentials *all)
{
	for (size_t i = 0; i < all->settings->credential_count; i++) {
		struct credential *c = &all->list[i];
		struct err failed = c->settings->kind == CREDENTIAL_STATIC ? load(all, c) : OK;
		if (failed.code)
			event_log(EVENT_SETTINGS_WARNING, "%s: %s; what was read before is used on", c->name,
			          err_text(failed));
	}
}

void credentials_close(struct credentials *all)
{
	free(all->list);
	all->list = NULL;
}
