#include "bench/accept.h"
#include "bench/text.h"
#include "proto/authd_msg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Blocking on purpose: at most in_flight requests are unanswered, so neither side's socket can fill while the other only writes. */
struct asker {
	const struct accept_tokens *tokens;
	int fd;
	size_t asked, answered;
	bool greeted;
	struct text out, in;
	char *words;
};

static bool fail(struct asker *a, const char *what, const char *why)
{
	snprintf(a->words, ACCEPT_WORDS, "%s: %s", what, why);
	return false;
}

static void say(struct asker *a, const struct authd_msg *m)
{
	size_t n = authd_msg_bytes(m);
	CHECK(n > 0);
	authd_msg_write(m, text_grow(&a->out, n));
}

static bool flush(struct asker *a)
{
	for (size_t done = 0; done < a->out.len;) {
		ssize_t n = send(a->fd, a->out.at + done, a->out.len - done, MSG_NOSIGNAL);
		if (n <= 0)
			return fail(a, "authd's socket", strerror(errno));
		done += (size_t)n;
	}
	text_clear(&a->out);
	return true;
}

static void ask_next(struct asker *a)
{
	if (a->asked == a->tokens->count)
		return;
	/* Few origins, as there are few servers. */
	struct authd_msg m = {
	        .type = AUTHD_REQUEST,
	        .request = {.id = a->asked + 1, .origin = a->asked % 4, .token = a->tokens->at[a->asked]}};
	say(a, &m);
	a->asked++;
}

static bool take(struct asker *a, const struct authd_msg *m)
{
	if (m->type == AUTHD_HELLO) {
		a->greeted = true;
		return true;
	}
	if (m->type != AUTHD_REPLY)
		return fail(a, "authd's answer", "a message of another kind");
	if (m->reply.outcome != AUTHD_DONE) {
		snprintf(a->words, ACCEPT_WORDS, "authd refused token %llu: %s, %.*s", (unsigned long long)m->reply.id,
		         authd_reason_row(m->reply.reason)->name, (int)m->reply.detail.len, m->reply.detail.at);
		return false;
	}
	a->answered++;
	ask_next(a);
	return true;
}

static bool receive(struct asker *a)
{
	enum { PIECE = 256 * 1024 };
	size_t had = a->in.len;
	ssize_t n = recv(a->fd, text_grow(&a->in, PIECE), PIECE, 0);
	a->in.len = had + (n > 0 ? (size_t)n : 0);
	if (n <= 0)
		return fail(a, "authd closed the connection", n < 0 ? strerror(errno) : "its end came");
	size_t at = 0, used = 0;
	for (struct authd_msg m; at < a->in.len; at += used) {
		const char *wrong = authd_msg_read(slice_of(a->in.at + at, a->in.len - at), &m, &used);
		if (wrong)
			return fail(a, "authd's answer", wrong);
		if (!used)
			break;
		if (!take(a, &m))
			return false;
	}
	memmove(a->in.at, a->in.at + at, a->in.len - at);
	a->in.len -= at;
	return true;
}

static bool run(struct asker *a, unsigned in_flight, struct accept_result *out)
{
	struct authd_msg hello = {.type = AUTHD_HELLO, .hello = {.version = AUTHD_VERSION}};
	say(a, &hello);
	if (!flush(a))
		return false;
	while (!a->greeted)
		if (!receive(a))
			return false;
	double began = accept_now_s();
	for (unsigned i = 0; i < in_flight; i++)
		ask_next(a);
	while (a->answered < a->tokens->count)
		if (!flush(a) || !receive(a))
			return false;
	*out = (struct accept_result){.accepted = a->answered, .seconds = accept_now_s() - began};
	return true;
}

bool accept_authd(const struct accept_tokens *t, const char *path, unsigned in_flight, struct accept_result *out,
                  char words[static ACCEPT_WORDS])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct asker a = {.tokens = t, .words = words};
	if (strlen(path) >= sizeof(address.sun_path))
		return fail(&a, path, "too long for a socket's name");
	memcpy(address.sun_path, path, strlen(path) + 1);
	a.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool fine = a.fd >= 0 && connect(a.fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	fine = fine ? run(&a, in_flight, out) : fail(&a, path, strerror(errno));
	if (a.fd >= 0)
		close(a.fd);
	text_free(&a.in);
	text_free(&a.out);
	return fine;
}
