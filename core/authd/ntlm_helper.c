#include "core/authd/ntlm_helper.h"

#include "proto/base64.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct ntlm_helper {
	pid_t pid;
	int to, from; /* non-blocking */
};

extern char **environ;

static int spawn(const char *program, const int in[2], const int out[2], pid_t *pid)
{
	char protocol[] = "--helper-protocol=squid-2.5-ntlmssp";
	char *const argv[] = {(char *)(uintptr_t)program, protocol, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	sigset_t none, ends;
	sigemptyset(&none);
	sigemptyset(&ends);
	sigaddset(&ends, SIGPIPE);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, in[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY,
	                                 0); /* it repeats there what it answers */
	posix_spawnattr_init(&how);
	posix_spawnattr_setsigmask(&how, &none); /* ours are blocked in this thread */
	posix_spawnattr_setsigdefault(&how, &ends);
	posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	int error = posix_spawn(pid, program, &files, &how, argv, environ);
	posix_spawnattr_destroy(&how);
	posix_spawn_file_actions_destroy(&files);
	return error;
}

struct ntlm_helper *ntlm_helper_open(const char *program, int *error)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1};
	struct ntlm_helper *h = calloc(1, sizeof(*h));
	*error = ENOMEM;
	if (h && (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || fcntl(in[1], F_SETFL, O_NONBLOCK) ||
	          fcntl(out[0], F_SETFL, O_NONBLOCK)))
		*error = errno;
	else if (h)
		*error = spawn(program, in, out, &h->pid);
	if (in[0] >= 0)
		close(in[0]);
	if (out[1] >= 0)
		close(out[1]);
	if (*error == 0) {
		h->to = in[1];
		h->from = out[0];
		return h;
	}
	if (in[1] >= 0)
		close(in[1]);
	if (out[0] >= 0)
		close(out[0]);
	free(h);
	return NULL;
}

void ntlm_helper_close(struct ntlm_helper *h)
{
	if (h == NULL)
		return;
	close(h->to);
	close(h->from);
	kill(h->pid, SIGKILL); /* it holds nothing that would need an orderly end */
	while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(h);
}

static bool wait_for(int fd, short events, usec_t until)
{
	for (;;) {
		usec_t now = clock_now();
		if (now >= until)
			return false;
		struct pollfd p = {.fd = fd, .events = events};
		int n = poll(&p, 1, (int)((until - now) / 1000 + 1));
		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
	}
}

static bool write_all(struct ntlm_helper *h, const char *at, size_t len, usec_t until)
{
	while (len) {
		ssize_t n = write(h->to, at, len);
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		} else if ((errno != EAGAIN && errno != EINTR) || !wait_for(h->to, POLLOUT, until)) {
			return false;
		}
	}
	return true;
}

static bool read_line(struct ntlm_helper *h, char *line, usec_t until, struct slice *answer)
{
	size_t len = 0;
	while (len < NTLM_LINE_BYTES) {
		ssize_t n = read(h->from, line + len, NTLM_LINE_BYTES - len);
		if (n > 0) {
			len += (size_t)n;
			if (line[len - 1] == '\n') {
				*answer = slice_of(line, len - 1);
				return slice_find(*answer, '\n') == answer->len; /* one line to one line */
			}
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR) || !wait_for(h->from, POLLIN, until)) {
			return false;
		}
	}
	return false;
}

bool ntlm_helper_say(struct ntlm_helper *h, const char *word, struct slice token, usec_t until, struct arena *arena,
                     struct slice *answer)
{
	char *line = arena_take(arena, NTLM_LINE_BYTES);
	if (line == NULL || base64_len(token.len) + 8 > NTLM_LINE_BYTES)
		return false;
	memcpy(line, word, 2);
	line[2] = ' ';
	size_t len = 3 + base64_encode(token, line + 3);
	line[len++] = '\n';
	return write_all(h, line, len, until) && read_line(h, line, until, answer);
}
