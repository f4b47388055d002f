#include "core/cloud/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct err wrong(int sys, const char *path, const char *what)
{
	static _Thread_local char text[512];
	snprintf(text, sizeof(text), "%s: %s", path, what);
	return (struct err){ERR_FILE, sys, text};
}

struct err secret_read(const char *path, struct secret *out)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return wrong(errno, path, strerror(errno));
	char *bytes = malloc(SECRET_BYTES_MAX + 2);
	ssize_t n = bytes ? read(fd, bytes, SECRET_BYTES_MAX + 2) : 0;
	int failed = n < 0 || fstat(fd, &st) ? errno : 0;
	close(fd);
	if (!bytes)
		return ERR_OF(NO_MEMORY);
	if (n > 0 && bytes[n - 1] == '\n')
		n--;
	if (n > 0 && bytes[n - 1] == '\r')
		n--;
	const char *what = failed                 ? strerror(failed)
	                   : st.st_mode & 07      ? "everybody may read this secret: chmod 0640 or stricter"
	                   : n == 0               ? "the file is empty"
	                   : n > SECRET_BYTES_MAX ? "this is longer than a secret can be"
	                                          : NULL;
	if (what) {
		explicit_bzero(bytes, SECRET_BYTES_MAX + 2);
		free(bytes);
		return wrong(failed, path, what);
	}
	*out = (struct secret){bytes, (size_t)n};
	return OK;
}

void secret_done(struct secret *s)
{
	if (s->bytes)
		explicit_bzero(s->bytes, SECRET_BYTES_MAX + 2);
	free(s->bytes);
	*s = (struct secret){0};
}
