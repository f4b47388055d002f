#include "core/relay/authlist_read.h"

#include "core/base/check.h"
#include "core/crypto/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool unreadable(struct authlist_reading *r, const char *what)
{
	snprintf(r->problem, sizeof(r->problem), "%s: %s", what, strerror(errno));
	return false;
}

static bool cannot_be_opened(struct authlist_reading *r)
{
	static const struct {
		int error;
		const char *mend;
	} rows[] = {
	        {ENOENT, "put it there, or correct list.file"},
	        {ENOTDIR, "a part of its path is no directory; correct list.file"},
	        {ELOOP, "its symbolic links lead in a circle"},
	        {EACCES, "the node's user must be allowed to read it and to pass every directory above it"},
	        {ESTALE, "the file server that it was on has changed; mount it again"},
	        {EMFILE, "raise the limit of open files of the service (LimitNOFILE)"},
	};
	const char *mend = "";
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (rows[i].error == errno)
			mend = rows[i].mend;
	snprintf(r->problem, sizeof(r->problem), "cannot be opened: %s%s%s", strerror(errno), *mend ? "; " : "", mend);
	return false;
}

/* Something is there, but not a list's file; false. */
static bool is_a_list(struct authlist_reading *r, const struct stat *st)
{
	if (S_ISDIR(st->st_mode))
		snprintf(r->problem, sizeof(r->problem), "is a directory; list.file names the file itself");
	else if (!S_ISREG(st->st_mode))
		snprintf(r->problem, sizeof(r->problem), "is no ordinary file but a pipe, socket or device");
	else if (st->st_size == 0)
		snprintf(r->problem, sizeof(r->problem),
		         "is an empty file: it was not written to its end; a list without entries is "
		         "{\"version\": 1, \"entries\": []}");
	else if (st->st_size > AUTHLIST_DOC_BYTES_MAX)
		snprintf(r->problem, sizeof(r->problem), "has %lld bytes, more than the %d that a list may have",
		         (long long)st->st_size, AUTHLIST_DOC_BYTES_MAX);
	else
		return true;
	return false;
}

/* The whole file, malloc'd. */
static bool read_open_file(struct authlist_reading *r, int fd, char **text, size_t *len)
{
	struct stat st;
	if (fstat(fd, &st))
		return unreadable(r, "cannot be examined");
	if (!is_a_list(r, &st))
		return false;
	size_t room = (size_t)st.st_size + 1, n = 0;
	*text = malloc(room);
	if (!*text)
		return unreadable(r, "cannot be read");
	for (ssize_t got; n < room; n += (size_t)got) {
		got = read(fd, *text + n, room - n);
		if (got < 0 && errno != EINTR)
			return unreadable(r, "cannot be read");
		if (got < 0)
			got = 0;
		else if (got == 0)
			break;
	}
	*len = n;
	return true;
}

bool authlist_read_text(struct authlist_reading *r, struct slice text)
{
	struct err failed = authlist_doc_read(text, &r->rows, r->problem);
	r->document = failed.code ? NULL : authlist_doc_write(&r->rows, &r->document_len);
	if (r->document)
		crypto_sha256(slice_of(r->document, r->document_len), r->hash);
	else if (!r->problem[0])
		snprintf(r->problem, sizeof(r->problem), "cannot be taken: there is not enough memory");
	return r->document != NULL;
}

void authlist_read_file(struct authlist_reading *r)
{
	char *text = NULL;
	size_t len = 0;
	r->problem[0] = 0;
	/* Not blocking: a pipe under that name would hold up the thread for ever. */
	int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	r->good = fd >= 0 ? read_open_file(r, fd, &text, &len) && authlist_read_text(r, slice_of(text, len))
	                  : cannot_be_opened(r);
	free(text);
	if (fd >= 0)
		close(fd);
}

/* ---- writing ---- */

static bool write_all(int fd, const char *at, size_t n)
{
	while (n) {
		ssize_t done = write(fd, at, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		at += done;
		n -= (size_t)done;
	}
	return fsync(fd) == 0;
}

static bool sync_directory(const char *path)
{
	char directory[4200];
	snprintf(directory, sizeof(directory), "%s", path);
	*strrchr(directory, '/') = 0;
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool done = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return done;
}

bool authlist_write_file(struct authlist_reading *r)
{
	char beside[4200];
	snprintf(beside, sizeof(beside), "%s.new", r->path);
	unlink(beside); /* of a writer that was killed */
	int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	bool done = fd >= 0 && write_all(fd, r->document, r->document_len) && rename(beside, r->path) == 0 &&
	            sync_directory(r->path);
	if (!done) {
		unreadable(r, "cannot be written, so nothing was changed");
		unlink(beside);
	}
	if (fd >= 0)
		close(fd);
	return done;
}
