#include "core/authd/authd_server.h"

#include "core/authd/link.h"
#include "core/authd/peer.h"
#include "core/authd/pool.h"
#include "core/base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128, TICK_MS = 1000, END_MS = 3000, EVENTS = 64 };

struct authd_server {
	struct authd *authd;
	struct peers peers;
	struct pool tokens, asks;
	struct list links;
	size_t link_count;
	uint64_t last_link, in_work; /* in_work: jobs that are not finished; main thread */
	int epoll, listener, wake, signals;
	uint32_t features;   /* as the node was told last */
	bool ending, unsent; /* unsent: answers wait to be written at the end of this turn */
	struct sockaddr_un address;
	dev_t socket_dev; /* of our socket, so that only our own is removed at the end */
	ino_t socket_ino;
	pthread_mutex_t lock; /* of finished */
	struct list finished;
};

/* ---- jobs ---- */

/* In a thread of a pool. */
static void work(void *context, struct job *j)
{
	struct authd_server *s = context;
	authd_answer(s->authd, j);
	pthread_mutex_lock(&s->lock);
	bool first = list_empty(&s->finished);
	list_push_back(&s->finished, &j->link);
	pthread_mutex_unlock(&s->lock);
	uint64_t one = 1;
	if (first && write(s->wake, &one, sizeof(one)) < 0)
		CHECK(errno == EAGAIN); /* then it is awake */
}

static void watch(struct authd_server *s, struct link *l)
{
	uint32_t want = (link_waiting(l) < LINK_OUT_PAUSE && !s->ending ? (uint32_t)EPOLLIN : 0u) |
	                (link_waiting(l) ? (uint32_t)EPOLLOUT : 0u);
	if (want == l->watched)
		return;
	struct epoll_event e = {.events = want, .data.ptr = l};
	CHECK(epoll_ctl(s->epoll, EPOLL_CTL_MOD, l->fd, &e) == 0);
	l->watched = want;
}

/* Answers of jobs that are still in work then go nowhere. */
static void close_link(struct authd_server *s, struct link *l)
{
	if (s->authd->ntlm_cancel)
		s->authd->ntlm_cancel(s->authd, l->number, 0);
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, l->fd, NULL);
	list_remove(&l->all);
	s->link_count--;
	link_free(l);
}

static struct link *find_link(struct authd_server *s, uint64_t number)
{
	list_for_each (at, &s->links) {
		struct link *l = container_of(at, struct link, all);
		if (l->number == number)
			return l;
	}
	return NULL;
}

/* To its connection, if that is still there. */
static void deliver(struct authd_server *s, struct job *j)
{
	struct link *l = find_link(s, j->connection);
	struct authd_msg answer = job_answer(j);
	if (l && !link_append(l, &answer)) {
		event_log(EVENT_AUTHD_LINK_LOST, "the node does not take its answers, or one could not be written");
		close_link(s, l);
	}
	s->unsent = true;
	job_free(j);
	s->in_work--;
}

static void write_all(struct authd_server *s)
{
	s->unsent = false;
	list_for_each_safe (at, &s->links) {
		struct link *l = container_of(at, struct link, all);
		if (!link_write(l))
			close_link(s, l);
		else
			watch(s, l);
	}
}

static void take_finished(struct authd_server *s)
{
	uint64_t count;
	struct list *at;
	if (read(s->wake, &count, sizeof(count)) < 0)
		CHECK(errno == EAGAIN);
	for (;;) {
		pthread_mutex_lock(&s->lock);
		at = list_first(&s->finished);
		if (at)
			list_remove(at);
		pthread_mutex_unlock(&s->lock);
		if (!at)
			break;
		deliver(s, container_of(at, struct job, link));
	}
}

/* false: no memory. */
static bool queue_job(struct authd_server *s, struct link *l, struct slice bytes, bool is_ask)
{
	struct job *j = job_new(l->number, bytes);
	if (!j)
		return false;
	if (is_ask)
		j->origin = l->number;
	s->in_work++;
	struct job *out = fair_queue_push(is_ask ? &s->asks.queue : &s->tokens.queue, j);
	if (out && out->msg.type == AUTHD_ASK)
		out->told.text = SLICE("{\"ok\": false, \"error\": \"authd has too many questions to answer at once\", "
		                       "\"mend\": \"ask again in a moment\"}");
	else if (out)
		job_refuse(out, AUTHD_BUSY, NULL);
	if (out) {
		authd_count(s->authd, out);
		deliver(s, out);
	}
	return true;
}

/* NULL when fine; else why the connection ends. */
static const char *take_message(struct authd_server *s, struct link *l, const struct authd_msg *m, struct slice bytes)
{
	if (l->greeted == (m->type == AUTHD_HELLO))
		return l->greeted ? "it sent HELLO twice" : "it did not begin with HELLO";
	switch (m->type) {
	case AUTHD_HELLO:
		l->greeted = true;
		return NULL;
	case AUTHD_REQUEST:
	case AUTHD_ASK:
		return queue_job(s, l, bytes, m->type == AUTHD_ASK) ? NULL : "there is not enough memory";
	case AUTHD_CANCEL:
		if (s->authd->ntlm_cancel)
			s->authd->ntlm_cancel(s->authd, l->number, m->cancel.conversation);
		return NULL;
	case AUTHD_REPLY:
	case AUTHD_TOLD:
		break;
	}
	return "it sent what only authd sends";
}

/* ---- connections ---- */

static void read_link(struct authd_server *s, struct link *l)
{
	uint64_t number = l->number;
	int n = link_read(l);
	const char *wrong = NULL;
	while (n > 0 && !wrong) {
		struct authd_msg m;
		size_t used;
		struct slice bytes = link_read_bytes(l);
		wrong = authd_msg_read(bytes, &m, &used);
		if (wrong || used == 0)
			break;
		wrong = take_message(s, l, &m, slice_until(bytes, used));
		if (find_link(s, number) != l) /* it took no answers and was closed */
			return;
		link_consume(l, used);
	}
	if (wrong)
		event_log(EVENT_AUTHD_LINK_LOST, "a connection broke the protocol: %s", wrong);
	if (wrong || n < 0)
		close_link(s, l);
}

/* false: it was closed again. */
static bool open_link(struct authd_server *s, int fd)
{
	uid_t who;
	if (!peers_allow(&s->peers, fd, &who)) {
		event_log(EVENT_AUTHD_PEER_REFUSED,
		          "uid %lld; let the node run as this user, or name its user in auth.node_user",
		          who == (uid_t)-1 ? -1ll : (long long)who);
		return false;
	}
	struct link *l = s->link_count < AUTHD_CONNECTIONS_MAX ? calloc(1, sizeof(*l)) : NULL;
	if (!l) {
		event_log(EVENT_AUTHD_LINK_LOST, "there are too many connections already");
		return false;
	}
	*l = (struct link){.number = ++s->last_link, .fd = fd, .watched = EPOLLIN};
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = l};
	struct authd_msg hello = {.type = AUTHD_HELLO, .hello = {AUTHD_VERSION, s->features}};
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e)) {
		free(l);
		return false;
	}
	list_push_back(&s->links, &l->all);
	s->link_count++;
	s->unsent = true;
	if (!link_append(l, &hello))
		close_link(s, l);
	return true;
}

static void accept_all(struct authd_server *s)
{
	for (int i = 0; i < BACKLOG; i++) {
		int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		if (!open_link(s, fd))
			close(fd);
	}
}

/* ---- start, run, end ---- */

/* Another process listens there. */
static bool is_served(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool served =
	        fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN);
	if (fd >= 0)
		close(fd);
	return served;
}

/* Who speaks is looked at by its credentials. That nobody else can open the socket at all is better still: it is given to the node's group where this user
 * may do so, as root or as a member. */
static mode_t socket_mode(const struct authd_server *s, const char *path)
{
	const struct peers *p = &s->peers;
	if (p->node == (uid_t)-1 || p->node == geteuid() || p->node == 0)
		return 0600;
	if (p->node_group != (gid_t)-1 && chown(path, (uid_t)-1, p->node_group) == 0)
		return 0660;
	event_log(EVENT_SETTINGS_WARNING,
	          "auth.socket: every user of this machine may open it, though only the node's gets an answer: let "
	          "authd's user be a member of "
	          "the first group of %s",
	          s->authd->settings->auth_node_user);
	return 0666;
}

static struct err listen_at(struct authd_server *s, const char *path)
{
	struct stat st;
	s->address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(s->address.sun_path))
		return ERR_OF(SETTINGS, .what = "the path is too long for a socket");
	memcpy(s->address.sun_path, path, strlen(path));
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return ERR_OF(SETTINGS, .what = "there is something else than a socket at that path");
		if (is_served(&s->address))
			return ERR_OF(SYSTEM, .what = "another rms-connector-authd serves that socket already");
		unlink(path);
	}
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listener < 0)
		return ERR_OF(SYSTEM, .sys = errno, .what = "no socket could be made");
	if (bind(s->listener, (const struct sockaddr *)&s->address, sizeof(s->address)))
		return ERR_OF(SYSTEM, .sys = errno,
		              .what = "the socket could not be made at that path: does its directory exist, "
		                      "and may this user write there?");
	if (lstat(path, &st) || chmod(path, socket_mode(s, path)) || listen(s->listener, BACKLOG))
		return ERR_OF(SYSTEM, .sys = errno, .what = "the socket could not be opened for the node");
	s->socket_dev = st.st_dev;
	s->socket_ino = st.st_ino;
	return OK;
}

static struct err watch_own(struct authd_server *s)
{
	sigset_t signals;
	/* Helpers and controllers that went away are found out by EPIPE: libldap and its TLS write without MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	s->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	s->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	int *own[] = {&s->signals, &s->wake, &s->listener};
	for (size_t i = 0; i < ARRAY_COUNT(own); i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = own[i]};
		if (s->epoll < 0 || *own[i] < 0 || epoll_ctl(s->epoll, EPOLL_CTL_ADD, *own[i], &e))
			return ERR_OF(SYSTEM, .sys = errno, .what = "epoll cannot be used");
	}
	return OK;
}

static struct err open_all(struct authd_server *s, const char **where)
{
	const struct settings *settings = s->authd->settings;
	*where = "auth.node_user";
	TRY(peers_init(&s->peers, settings->auth_node_user));
	*where = "auth.socket";
	TRY(listen_at(s, settings->auth_socket));
	TRY(watch_own(s));
	*where = "auth.threads";
	TRY(pool_start(&s->tokens, settings->auth_threads, settings->auth_queue));
	return pool_start(&s->asks, AUTHD_ASK_THREADS, AUTHD_ASKS_MAX);
}

struct err authd_server_open(struct authd *a, struct authd_server **out, const char **where)
{
	struct authd_server *s = malloc(sizeof(*s));
	if (!s)
		return ERR_OF(NO_MEMORY);
	struct pool pool = {.work = work, .thread_end = authd_thread_end, .context = s};
	*s = (struct authd_server){
	        .authd = a, .tokens = pool, .asks = pool, .epoll = -1, .listener = -1, .wake = -1, .signals = -1};
	list_init(&s->links);
	list_init(&s->finished);
	pthread_mutex_init(&s->lock, NULL);
	struct err failed = open_all(s, where);
	if (failed.code)
		authd_server_close(s);
	else
		*out = s;
	return failed;
}

static void remove_socket(struct authd_server *s)
{
	struct stat st;
	if (s->socket_ino && lstat(s->address.sun_path, &st) == 0 && st.st_dev == s->socket_dev &&
	    st.st_ino == s->socket_ino)
		unlink(s->address.sun_path);
	if (s->listener >= 0)
		close(s->listener);
	s->listener = -1;
}

/* Nothing more is taken; what is in work is answered. */
static void begin_end(struct authd_server *s)
{
	s->ending = true;
	remove_socket(s);
	write_all(s);
}

static void take_signals(struct authd_server *s)
{
	struct signalfd_siginfo info;
	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			keytab_read(&s->authd->keytab);
		else if (!s->ending)
			begin_end(s);
	}
}

static void take_event(struct authd_server *s, const struct epoll_event *e)
{
	if (e->data.ptr == &s->signals) {
		take_signals(s);
	} else if (e->data.ptr == &s->wake) {
		take_finished(s);
	} else if (e->data.ptr == &s->listener) {
		accept_all(s);
	} else {
		struct link *l = NULL;
		list_for_each (at, &s->links)
			if (container_of(at, struct link, all) == e->data.ptr)
				l = e->data.ptr;
		if (!l) /* closed by an event before this one */
			return;
		if (e->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			read_link(s, l);
		else if (!link_write(l))
			close_link(s, l);
		else
			watch(s, l);
	}
}

/* The node gets a new HELLO when something works that did not, or no longer does. */
static void tell_features(struct authd_server *s)
{
	uint32_t features = authd_features(s->authd);
	struct authd_msg hello = {.type = AUTHD_HELLO, .hello = {AUTHD_VERSION, features}};
	if (features == s->features)
		return;
	s->features = features;
	s->unsent = true;
	list_for_each_safe (one, &s->links) {
		struct link *l = container_of(one, struct link, all);
		if (!link_append(l, &hello))
			close_link(s, l);
	}
	write_all(s);
}

void authd_server_run(struct authd_server *s)
{
	struct epoll_event events[EVENTS];
	usec_t end_at = 0, tick_at = 0;
	s->features = authd_features(s->authd);
	while (!s->ending || (s->in_work && clock_now() < end_at)) {
		int n = epoll_wait(s->epoll, events, EVENTS, s->ending ? 50 : TICK_MS);
		for (int i = 0; i < n; i++)
			take_event(s, &events[i]);
		if (s->unsent)
			write_all(s);
		if (s->ending && !end_at)
			end_at = clock_now() + END_MS * 1000ull;
		if (clock_now() >= tick_at) {
			tick_at = clock_now() + TICK_MS * 1000ull;
			authd_look(s->authd);
			tell_features(s);
			log_tick();
		}
	}
}

size_t authd_server_waiting(struct authd_server *s)
{
	return fair_queue_count(&s->tokens.queue);
}

bool authd_server_close(struct authd_server *s)
{
	remove_socket(s);
	if (s->in_work)
		return false;
	pool_stop(&s->tokens);
	pool_stop(&s->asks);
	struct list *at;
	while ((at = list_first(&s->links))) {
		struct link *l = container_of(at, struct link, all);
		list_remove(at);
		link_free(l);
	}
	int own[] = {s->epoll, s->wake, s->signals};
	for (size_t i = 0; i < ARRAY_COUNT(own); i++)
		if (own[i] >= 0)
			close(own[i]);
	pthread_mutex_destroy(&s->lock);
	free(s);
	return true;
}
