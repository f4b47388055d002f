#include "core/authd/exec.h"

#include "core/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void problem(struct exec_answer *out, const char *program, const char *what)
{
	snprintf(out->problem, sizeof(out->problem), "%.160s: %s", program, what);
}

/* NULL: good. */
static const char *wrong_with_owner(const char *path, bool directory)
{
	struct stat st;
	if (stat(path, &st))
		return strerror(errno);
	if (directory ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
		return "it is no ordinary file";
	if (st.st_uid != 0)
		return directory ? "root must own its directory" : "root must own it";
	if (st.st_mode & 022)
		return directory ? "others than root may write into its directory: chmod go-w it"
		                 : "others than root may write it: chmod go-w it";
	return NULL;
}

static const char *wrong_with(const char *program)
{
	char folder[4100];
	snprintf(folder, sizeof(folder), "%s", program);
	const char *wrong = wrong_with_owner(program, false);
	return wrong ? wrong : wrong_with_owner(dirname(folder), true);
}

/* A group of its own, so that what it starts ends with it. */
static int spawn(const char *program, int out, pid_t *pid)
{
	char *const argv[] = {(char *)(uintptr_t)program, NULL};
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", lang[] = "LANG=C.UTF-8";
	char *const environment[] = {path, lang, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	sigset_t none, usual;
	sigemptyset(&none);
	sigfillset(&usual);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addclosefrom_np(&files, 3);
	posix_spawn_file_actions_addchdir_np(&files, "/");
	posix_spawnattr_init(&how);
	posix_spawnattr_setsigmask(&how, &none);
	posix_spawnattr_setsigdefault(&how, &usual);
	posix_spawnattr_setpgroup(&how, 0);
	posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	int error = posix_spawn(pid, program, &files, &how, argv, environment);
	posix_spawnattr_destroy(&how);
	posix_spawn_file_actions_destroy(&files);
	return error;
}

/* NULL: text holds all it printed. */
static const char *read_all(int fd, msec_t time_ms, char text[static EXEC_OUTPUT_BYTES], size_t *len)
{
	usec_t until = clock_now() + time_ms * 1000ull;
	*len = 0;
	for (;;) {
		usec_t now = clock_now();
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (now >= until || poll(&p, 1, (int)((until - now) / 1000 + 1)) == 0)
			return "it did not end in time";
		ssize_t n = read(fd, text + *len, EXEC_OUTPUT_BYTES - *len);
		if (n == 0)
			return NULL;
		if (n < 0 && errno != EINTR)
			return strerror(errno);
		*len += n > 0 ? (size_t)n : 0;
		if (*len == EXEC_OUTPUT_BYTES)
			return "it prints more than 32 KiB";
	}
}

static bool is_header(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return n > 0 && n <= EXEC_HEADER_BYTES && text[0] != ' ' && text[n - 1] != ' ';
}

/* NULL: out is filled. */
static const char *take(const char *text, size_t n, struct exec_answer *out)
{
	json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	const json_t *header = json_object_get(root, "header"), *expires = json_object_get(root, "expires");
	const char *wrong = NULL;
	int64_t now_s = (int64_t)(clock_wall() / 1000000);
	if (!json_is_string(header) || !json_is_integer(expires) || json_object_size(root) != 2)
		wrong = "it must print {\"header\": \"Bearer ...\", \"expires\": SECONDS SINCE 1970} and nothing else";
	else if (!is_header(json_string_value(header), json_string_length(header)))
		wrong = "its header must be 1 to 12288 printable ASCII characters";
	else if (json_integer_value(expires) <= now_s)
		wrong = "what it printed has expired already: is a clock wrong?";
	if (!wrong) {
		memcpy(out->header, json_string_value(header), json_string_length(header) + 1);
		out->expires_s = json_integer_value(expires);
	}
	json_decref(root);
	return wrong;
}

void exec_run(const char *program, msec_t time_ms, struct exec_answer *out)
{
	char text[EXEC_OUTPUT_BYTES];
	int ends[2], status = 0;
	size_t n = 0;
	pid_t pid;
	*out = (struct exec_answer){0};
	const char *wrong = wrong_with(program);
	if (wrong) {
		problem(out, program, wrong);
		return;
	}
	if (pipe2(ends, O_CLOEXEC)) {
		problem(out, program, strerror(errno));
		return;
	}
	int error = spawn(program, ends[1], &pid);
	close(ends[1]);
	if (error)
		wrong = strerror(error);
	else
		wrong = read_all(ends[0], time_ms, text, &n);
	close(ends[0]);
	if (!error) {
		/* Its output is at its end, or nobody wants it any more: so does whatever it started. */
		if (wrong)
			kill(-pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		kill(-pid, SIGKILL);
	}
	if (!wrong && (!WIFEXITED(status) || WEXITSTATUS(status)))
		wrong = "it failed; run it by hand as the user of rms-connector-authd to see why";
	if (!wrong)
		wrong = take(text, n, out);
	explicit_bzero(text, n);
	if (wrong)
		problem(out, program, wrong);
}
