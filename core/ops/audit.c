#include "core/ops/audit.h"
#include "core/base/log.h"
#include "core/crypto/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A line: {"n":3,"time":...,"who":{...},"what":...,"before":...,"after":...,"previous":"HEX","hash":"HEX"}
 * hash is over the line as it would be without it; previous is the hash of the line before, zeros in the first. */

static const char name[] = "/audit.jsonl";
static const char hash_key[] = ",\"hash\":\"";
enum { LINE_MEMBERS = 8, HEX = AUDIT_HASH_HEX - 1, TAIL_BYTES = sizeof(hash_key) - 1 + HEX + 2 };

struct audit {
	int fd;
	char *path;
	off_t size; /* of the whole lines */
	uint64_t lines;
	char hash[AUDIT_HASH_HEX];
	bool unusable; /* what is at the end of the file is not known */
};

static _Thread_local char said[640];

static struct err failed(const char *path, const char *what, int error)
{
	snprintf(said, sizeof(said), "%s: %s%s%s", path, what, error ? ": " : "", error ? strerror(error) : "");
	return ERR_OF(FILE, .sys = -error, .what = said);
}

/* ---- reading ---- */

static void hash_of(const char *text, size_t n, char out[static AUDIT_HASH_HEX])
{
	struct crypto_sha256 s;
	uint8_t sum[CRYPTO_SHA256_BYTES];
	crypto_sha256_start(&s);
	crypto_sha256_add(&s, text, n);
	crypto_sha256_add(&s, "}", 1);
	crypto_sha256_end(&s, sum);
	crypto_hex(sum, sizeof(sum), out);
}

/* One line against what the lines before it say; NULL: good, and hash is its own. */
static const char *look_at_line(const char *line, size_t n, uint64_t number, char hash[static AUDIT_HASH_HEX])
{
	char own[AUDIT_HASH_HEX];
	if (n < TAIL_BYTES || memcmp(line + n - TAIL_BYTES, hash_key, sizeof(hash_key) - 1) ||
	    memcmp(line + n - 2, "\"}", 2))
		return "it is no line of this record";
	hash_of(line, n - TAIL_BYTES, own);
	if (memcmp(own, line + n - 2 - HEX, HEX))
		return "it was changed after it was written";
	json_t *o = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
	const char *previous = json_string_value(json_object_get(o, "previous")), *wrong = NULL;
	if (!o || !previous)
		wrong = "it is no line of this record";
	else if (json_integer_value(json_object_get(o, "n")) != (json_int_t)number)
		wrong = "its number is not the next one: lines were taken out, put in, or moved";
	else if (strcmp(previous, hash))
		wrong = "it does not follow the line before it: that one was replaced";
	json_decref(o);
	memcpy(hash, own, sizeof(own));
	return wrong;
}

static struct err open_again(const struct audit *a, FILE **out)
{
	struct stat here, there;
	int fd = open(a->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return failed(a->path, "the record of changes cannot be read", errno);
	bool same = fstat(fd, &here) == 0 && fstat(a->fd, &there) == 0 && here.st_ino == there.st_ino &&
	            here.st_dev == there.st_dev;
	*out = same ? fdopen(fd, "r") : NULL;
	if (*out)
		return OK;
	close(fd);
	return same ? ERR_OF(NO_MEMORY)
	            : failed(a->path,
	                     "the record of changes was moved or replaced while the node runs: put it back, or restart "
	                     "the node to begin a new one",
	                     0);
}

struct reading {
	struct audit_check check;
	uint64_t all;     /* lines, whole or not */
	off_t whole_size; /* up to the last newline */
	char last[AUDIT_HASH_HEX];
};

static struct err read_all(const struct audit *a, struct reading *r)
{
	FILE *in;
	char *line = NULL;
	size_t room = 0;
	*r = (struct reading){0};
	memset(r->check.hash, '0', HEX);
	memset(r->last, '0', HEX);
	TRY(open_again(a, &in));
	for (ssize_t n; (n = getline(&line, &room, in)) > 0 && line[n - 1] == '\n';) {
		const char *wrong = look_at_line(line, (size_t)n - 1, ++r->all, r->last);
		r->whole_size += n;
		if (r->check.broken_line)
			continue;
		if (!wrong) {
			r->check.lines++;
			memcpy(r->check.hash, r->last, sizeof(r->last));
			continue;
		}
		r->check.broken_line = r->all;
		snprintf(r->check.why, sizeof(r->check.why), "%s", wrong);
	}
	bool bad = ferror(in);
	int error = errno;
	free(line);
	fclose(in);
	return bad ? failed(a->path, "the record of changes cannot be read", error) : OK;
}

struct err audit_verify(const struct audit *a, struct audit_check *out)
{
	struct reading r;
	TRY(read_all(a, &r));
	*out = r.check;
	if (!out->broken_line && r.all < a->lines) {
		out->broken_line = r.all + 1;
		snprintf(out->why, sizeof(out->why), "lines were cut off at the end while the node runs: it wrote %llu",
		         (unsigned long long)a->lines);
	}
	return OK;
}

json_t *audit_last(const struct audit *a, size_t count)
{
	FILE *in;
	char *line = NULL;
	size_t room = 0;
	uint64_t at = 0;
	struct err e = open_again(a, &in);
	if (e.code)
		return NULL;
	json_t *list = json_array();
	for (ssize_t n; (n = getline(&line, &room, in)) > 0 && line[n - 1] == '\n';) {
		if (++at + count <= a->lines)
			continue;
		json_t *o = json_loadb(line, (size_t)n - 1, JSON_REJECT_DUPLICATES, NULL);
		if (json_object_get(o, "hash") && json_object_size(o) == LINE_MEMBERS &&
		    json_array_size(list) < AUDIT_LIST_MAX)
			json_array_append(list, o);
		json_decref(o);
	}
	free(line);
	fclose(in);
	return list;
}

/* ---- opening ---- */

static struct err sync_directory(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int bad = fd < 0 || fsync(fd) ? errno : 0;
	if (fd >= 0)
		close(fd);
	return bad ? failed(directory, "the directory cannot be synced", bad) : OK;
}

static struct err cut_tail(struct audit *a, off_t whole)
{
	struct stat st;
	struct admin_peer node = {.uid = (uint32_t)geteuid(), .name = "rms-connectord"};
	if (fstat(a->fd, &st) || st.st_size < whole)
		return failed(a->path, "the record of changes cannot be read", errno);
	if (st.st_size == whole)
		return OK;
	if (ftruncate(a->fd, whole))
		return failed(a->path, "its last line is not complete and cannot be cut away", errno);
	json_t *after = json_object();
	json_object_set_new(after, "bytes", json_integer((json_int_t)(st.st_size - whole)));
	event_log(EVENT_AUDIT_CUT, "%s: %lld bytes of a line that was not complete, whose change was not made", a->path,
	          (long long)(st.st_size - whole));
	struct err e = audit_append(a, &node, "an incomplete last line was cut away", NULL, after);
	json_decref(after);
	return e;
}

static struct err take_up(struct audit *a, const char *directory)
{
	struct reading r;
	a->fd = open(a->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (a->fd < 0)
		return failed(a->path, "the record of changes cannot be opened", errno);
	if (flock(a->fd, LOCK_EX | LOCK_NB))
		return failed(a->path,
		              errno == EWOULDBLOCK ? "another node writes it; each node needs its own "
		                                     "node.state_directory"
		                                   : "the record of changes cannot be locked",
		              errno == EWOULDBLOCK ? 0 : errno);
	TRY(sync_directory(directory));
	TRY(read_all(a, &r));
	a->size = r.whole_size;
	a->lines = r.all;
	memcpy(a->hash, r.last, sizeof(a->hash));
	if (r.check.broken_line)
		event_log(EVENT_AUDIT_BROKEN, "%s, line %llu: %s", a->path, (unsigned long long)r.check.broken_line,
		          r.check.why);
	return cut_tail(a, r.whole_size);
}

struct err audit_open(const char *directory, struct audit **out)
{
	struct audit *a = calloc(1, sizeof(*a));
	size_t n = strlen(directory) + sizeof(name);
	if (!a || !(a->path = malloc(n))) {
		free(a);
		return ERR_OF(NO_MEMORY);
	}
	a->fd = -1;
	snprintf(a->path, n, "%s%s", directory, name);
	struct err e = take_up(a, directory);
	if (e.code)
		audit_close(a);
	else
		*out = a;
	return e;
}

void audit_close(struct audit *a)
{
	if (!a)
		return;
	if (a->fd >= 0)
		close(a->fd);
	free(a->path);
	free(a);
}

uint64_t audit_lines(const struct audit *a)
{
	return a->lines;
}

const char *audit_hash(const struct audit *a)
{
	return a->hash;
}

/* ---- writing ---- */

static char *make_line(const struct audit *a, const struct admin_peer *who, const char *what, const json_t *before,
                       const json_t *after, char hash[static AUDIT_HASH_HEX], size_t *len)
{
	char time[25];
	json_t *o = json_object(), *person = json_object();
	clock_format(clock_wall(), time);
	json_object_set_new(person, "uid", json_integer(who->uid));
	if (who->name[0])
		json_object_set_new(person, "name", json_string(who->name));
	json_object_set_new(o, "n", json_integer((json_int_t)a->lines + 1));
	json_object_set_new(o, "time", json_string(time));
	json_object_set_new(o, "who", person);
	json_object_set_new(o, "what", json_string(what));
	json_object_set_new(o, "before", before ? json_deep_copy(before) : json_null());
	json_object_set_new(o, "after", after ? json_deep_copy(after) : json_null());
	bool whole = json_object_set_new(o, "previous", json_string(a->hash)) == 0 &&
	             json_object_size(o) == LINE_MEMBERS - 1;
	char *text = whole ? json_dumps(o, JSON_COMPACT) : NULL, *line = NULL;
	json_decref(o);
	if (text) {
		size_t n = strlen(text) - 1; /* without the brace */
		hash_of(text, n, hash);
		line = malloc(n + TAIL_BYTES + 2);
		if (line)
			*len = n + (size_t)snprintf(line + n, TAIL_BYTES + 2, "%s%s\"}\n", hash_key, hash);
		if (line)
			memcpy(line, text, n);
	}
	free(text);
	return line;
}

/* All or nothing: what was written of a line that does not fit is taken back. */
static struct err write_line(struct audit *a, const char *line, size_t len)
{
	size_t done = 0;
	int error = 0;
	while (!error && done < len) {
		ssize_t n = write(a->fd, line + done, len - done);
		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			error = n == 0 ? EIO : errno;
	}
	if (!error && fsync(a->fd))
		error = errno;
	if (!error)
		return OK;
	if (ftruncate(a->fd, a->size))
		a->unusable = true;
	return failed(a->path,
	              error == ENOSPC || error == EFBIG || error == EDQUOT
	                      ? "there is no room to write down the change, so it is not made"
	                      : "the change cannot be written down, so it is not made",
	              error);
}

struct err audit_append(struct audit *a, const struct admin_peer *who, const char *what, const json_t *before,
                        const json_t *after)
{
	char hash[AUDIT_HASH_HEX];
	size_t len = 0;
	struct stat st, named;
	if (a->unusable)
		return failed(a->path,
		              "an earlier line could not be written or taken back: mend the disk, then restart "
		              "the node",
		              0);
	if (fstat(a->fd, &st) || stat(a->path, &named) || st.st_ino != named.st_ino || st.st_dev != named.st_dev ||
	    st.st_size != a->size)
		return failed(a->path,
		              "the record of changes was moved, replaced or changed while the node runs, so nothing is "
		              "changed: look at it with audit verify, then restart the node",
		              0);
	char *line = make_line(a, who, what, before, after, hash, &len);
	if (!line)
		return ERR_OF(NO_MEMORY);
	struct err e = len > AUDIT_LINE_BYTES ? failed(a->path, "the change is too large to write down", 0)
	                                      : write_line(a, line, len);
	free(line);
	if (e.code)
		return e;
	a->size += (off_t)len;
	a->lines++;
	memcpy(a->hash, hash, sizeof(a->hash));
	event_log(EVENT_ADMIN_CHANGED, "%s, by %s (uid %u); line %llu of the record, hash %s", what,
	          who->name[0] ? who->name : "somebody without a name", who->uid, (unsigned long long)a->lines,
	          a->hash);
	return OK;
}
