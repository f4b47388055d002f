#include "store/db.h"

#include "core/base/check.h"
#include "store/db_check.h"
#include "store/db_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHILD_SECONDS = 20, PATH_BYTES = 4200, MODE = 0640 };

struct db {
	MDB_env *env;
	MDB_dbi dbi;
	bool read_only;
	char path[PATH_BYTES];
	size_t map_bytes;
};

const char *db_strerror(int sys)
{
	return mdb_strerror(sys < 0 && sys > -1000 ? -sys : sys);
}

/* LMDB's own locks are left out: state_lock.h keeps other processes away, and db.h allows one thread at a time. */
static int open_env(const struct db *d, MDB_env **env)
{
	int failed = mdb_env_create(env);
	if (failed)
		return failed;
	failed = mdb_env_set_mapsize(*env, d->map_bytes);
	if (!failed)
		failed = mdb_env_open(*env, d->path,
		                      MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS | (d->read_only ? MDB_RDONLY : 0), MODE);
	if (failed) {
		mdb_env_close(*env);
		*env = NULL;
	}
	return failed;
}

/* ---- the child that looks before we do ---- */

static _Noreturn void look_at_all(const struct db *d, pid_t parent)
{
	static const int deadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM, SIGTERM, SIGINT};
	/* It shares the lock of state_lock.h, and must not keep it after the parent was killed, also before this line. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(1);
	for (size_t i = 0; i < ARRAY_COUNT(deadly); i++)
		signal(deadly[i], SIG_DFL);
	setrlimit(RLIMIT_CORE, &(struct rlimit){0});
	alarm(CHILD_SECONDS);
	int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC); /* an assertion's words would frighten, and say nothing */
	if (quiet >= 0)
		dup2(quiet, STDERR_FILENO);
	MDB_env *env;
	_exit(open_env(d, &env) == 0 && db_walk(env) && (d->read_only || db_practise(env)) ? 0 : 1);
}

/* wrong: "" when it is sound. */
static bool examine_in_child(const struct db *d, char wrong[static DB_CHECK_WORDS])
{
	int status = 0;
	pid_t parent = getpid(), child = fork();
	if (child == 0)
		look_at_all(d, parent);
	while (child > 0 && waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	if (child > 0 && (!WIFEXITED(status) || WEXITSTATUS(status)))
		snprintf(wrong, DB_CHECK_WORDS, "its pages are damaged");
	return child > 0;
}

/* ---- opening ---- */

static struct err cannot(char problem[static DB_PROBLEM_BYTES], const char *path, const char *what, int error)
{
	snprintf(problem, DB_PROBLEM_BYTES, "%.300s %s: %s", path, what, strerror(error));
	return ERR_OF(FILE, .sys = -error, .what = problem);
}

/* A file system or a directory that cannot be written holds what is there, and takes nothing new. */
static struct err find_out_read_only(struct db *d, const char *directory, char problem[static DB_PROBLEM_BYTES])
{
	int why = access(directory, W_OK) ? errno : 0;
	if (why && access(d->path, F_OK))
		return cannot(problem, d->path, "cannot be made", why);
	d->read_only = why || (access(d->path, W_OK) && errno != ENOENT);
	return OK;
}

/* wrong: "" when it may be mapped, or is not there. */
static struct err examine(struct db *d, char wrong[static DB_CHECK_WORDS], char problem[static DB_PROBLEM_BYTES])
{
	uint64_t used;
	*wrong = 0;
	int fd = open(d->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? OK : cannot(problem, d->path, "cannot be opened", errno);
	bool whole = db_check_size(fd, wrong, &used);
	close(fd);
	if (whole && used && !examine_in_child(d, wrong))
		return cannot(problem, d->path, "cannot be examined: no child process", errno);
	return OK;
}

enum { ASIDE_BYTES = PATH_BYTES + 32 };

static struct err move_aside(struct db *d, char aside[static ASIDE_BYTES], char problem[static DB_PROBLEM_BYTES])
{
	snprintf(aside, ASIDE_BYTES, "%s.damaged-%lld", d->path, (long long)time(NULL));
	if (rename(d->path, aside))
		return cannot(problem, d->path, "is damaged and cannot be moved aside", errno);
	return OK;
}

/* The one tree without name; made by the first write. */
static int open_tree(struct db *d)
{
	MDB_txn *txn;
	int failed = mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn);
	if (failed)
		return failed;
	failed = mdb_dbi_open(txn, NULL, 0, &d->dbi);
	mdb_txn_abort(txn);
	return failed;
}

static struct err open_file(struct db *d, const char *directory, char problem[static DB_PROBLEM_BYTES])
{
	char wrong[DB_CHECK_WORDS], aside[ASIDE_BYTES];
	TRY(find_out_read_only(d, directory, problem));
	TRY(examine(d, wrong, problem));
	if (*wrong)
		TRY(move_aside(d, aside, problem));
	struct stat st;
	bool there = stat(d->path, &st) == 0 && st.st_size > 0;
	int failed = open_env(d, &d->env);
	if (!failed)
		failed = open_tree(d);
	if (failed) {
		if (!there)
			unlink(d->path); /* half a new file would be damage at the next start */
		size_t n = (size_t)snprintf(problem, DB_PROBLEM_BYTES, "%.150s cannot be opened: %.60s", d->path,
		                            db_strerror(failed));
		if (*wrong)
			snprintf(problem + n, DB_PROBLEM_BYTES - n,
			         "; the one before was damaged and is now %.200s, where it takes room", aside);
		return ERR_OF(FILE, .sys = failed > 0 ? -failed : failed, .what = problem);
	}
	if (*wrong)
		snprintf(problem, DB_PROBLEM_BYTES, "%.150s: %.100s; it was moved to %.200s and a new one made",
		         d->path, wrong, aside);
	if (d->read_only)
		snprintf(problem, DB_PROBLEM_BYTES, "%.300s can be read but not written", d->path);
	return OK;
}

struct err db_open(const char *directory, const char *name, size_t map_bytes, struct db **out,
                   char problem[static DB_PROBLEM_BYTES])
{
	*problem = 0;
	*out = NULL;
	struct db *d = calloc(1, sizeof(*d));
	if (!d)
		return ERR_OF(NO_MEMORY);
	d->map_bytes = map_bytes;
	if ((size_t)snprintf(d->path, sizeof(d->path), "%s/%s", directory, name) >= sizeof(d->path)) {
		db_close(d);
		return cannot(problem, directory, "cannot hold the file", ENAMETOOLONG);
	}
	struct err failed = open_file(d, directory, problem);
	if (failed.code)
		db_close(d);
	else
		*out = d;
	return failed;
}

void db_close(struct db *d)
{
	if (!d)
		return;
	if (d->env)
		mdb_env_close(d->env);
	free(d);
}

bool db_read_only(const struct db *d)
{
	return d->read_only;
}

/* ---- reading and writing ---- */

/* Somebody may have cut it meanwhile; what is mapped then is SIGBUS. After a commit the file may end before its last page, which was given back
 * unused: it is made as long as it says. */
static struct err check_length(const struct db *d, bool lengthen)
{
	char wrong[DB_CHECK_WORDS];
	uint64_t used;
	mdb_filehandle_t fd;
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;
	if (mdb_env_get_fd(d->env, &fd) || mdb_env_info(d->env, &info) || mdb_env_stat(d->env, &stat) || fstat(fd, &st))
		return ERR_OF(FILE, .what = "the state file cannot be examined");
	used = (info.me_last_pgno + 1) * stat.ms_psize;
	if (lengthen && (uint64_t)st.st_size < used && ftruncate(fd, (off_t)used))
		return ERR_OF(FILE, .sys = -errno, .what = "the state file cannot be lengthened");
	if (!lengthen && !db_check_size(fd, wrong, &used))
		return ERR_OF(FILE, .what = "the state file was cut or overwritten while in use; restart the node");
	return OK;
}

struct err db_read(struct db *d, const char *key, char **value, size_t *len)
{
	MDB_txn *txn;
	MDB_val found, name = {strlen(key), (void *)(uintptr_t)key};
	*value = NULL;
	*len = 0;
	if (!d->env)
		return ERR_OF(FILE, .what = "the state file is not open since a write failed");
	TRY(check_length(d, false));
	int failed = mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn);
	if (failed)
		return ERR_OF(FILE, .sys = failed, .what = "the state file cannot be read");
	failed = mdb_get(txn, d->dbi, &name, &found);
	if (failed == 0 && (*value = malloc(found.mv_size + 1))) {
		memcpy(*value, found.mv_data, found.mv_size);
		*len = found.mv_size;
	}
	mdb_txn_abort(txn);
	if (failed == 0)
		return *value ? OK : ERR_OF(NO_MEMORY);
	return failed == MDB_NOTFOUND ? OK : ERR_OF(FILE, .sys = failed, .what = "the state file cannot be read");
}

/* A failed write of LMDB's first pages ends the environment: it is opened anew. */
static int open_again(struct db *d)
{
	mdb_env_close(d->env);
	d->env = NULL;
	int failed = open_env(d, &d->env);
	return failed ? failed : open_tree(d);
}

/* LMDB calls it EIO when a write comes out short: usually the disk is full, and that is what helps to know. */
static int full_or(const struct db *d, int failed, size_t wanted)
{
	struct statvfs disk;
	if (failed == EIO && statvfs(d->path, &disk) == 0 && disk.f_bavail * disk.f_frsize < wanted + (64 << 10))
		return ENOSPC;
	return failed;
}

static int put_all(MDB_txn *txn, MDB_dbi dbi, const struct db_change *changes, size_t count, size_t *wanted)
{
	int failed = 0;
	for (size_t i = 0; i < count && !failed; i++) {
		const struct db_change *c = &changes[i];
		MDB_val name = {strlen(c->key), (void *)(uintptr_t)c->key};
		MDB_val bytes = {c->value.len, (void *)(uintptr_t)c->value.at};
		*wanted += c->value.len;
		failed = c->value.at ? mdb_put(txn, dbi, &name, &bytes, 0) : mdb_del(txn, dbi, &name, NULL);
		if (failed == MDB_NOTFOUND && !c->value.at)
			failed = 0;
	}
	return failed;
}

struct err db_change(struct db *d, const struct db_change *changes, size_t count)
{
	static const char failing[] = "the state file cannot be written";
	MDB_txn *txn;
	size_t wanted = 0;
	int failed = d->read_only ? EROFS : d->env ? 0 : open_again(d);
	if (failed)
		return ERR_OF(FILE, .sys = failed, .what = failing);
	TRY(check_length(d, false));
	failed = mdb_txn_begin(d->env, NULL, 0, &txn);
	if (failed == MDB_PANIC) {
		failed = open_again(d);
		if (!failed)
			failed = mdb_txn_begin(d->env, NULL, 0, &txn);
	}
	if (failed)
		return ERR_OF(FILE, .sys = failed, .what = failing);
	failed = put_all(txn, d->dbi, changes, count, &wanted);
	if (failed)
		mdb_txn_abort(txn);
	else
		failed = mdb_txn_commit(txn);
	if (failed)
		return ERR_OF(FILE, .sys = full_or(d, failed, wanted), .what = failing);
	return check_length(d, true);
}

struct err db_write(struct db *d, const char *key, struct slice value)
{
	return db_change(d, &(struct db_change){key, value}, 1);
}

struct err db_each(struct db *d, void (*on_row)(void *arg, struct slice key, struct slice value), void *arg)
{
	static const char failing[] = "the state file cannot be read";
	MDB_txn *txn;
	MDB_cursor *cursor;
	MDB_val key, value;
	if (!d->env)
		return ERR_OF(FILE, .what = "the state file is not open since a write failed");
	TRY(check_length(d, false));
	int failed = mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn);
	if (failed)
		return ERR_OF(FILE, .sys = failed, .what = failing);
	failed = mdb_cursor_open(txn, d->dbi, &cursor);
	bool opened = failed == 0;
	while (!failed && (failed = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
		on_row(arg, slice_of(key.mv_data, key.mv_size), slice_of(value.mv_data, value.mv_size));
	if (opened)
		mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	return failed == MDB_NOTFOUND ? OK : ERR_OF(FILE, .sys = failed, .what = failing);
}
