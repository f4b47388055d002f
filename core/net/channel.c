#include "core/net/channel.h"

#include <stdlib.h>
#include <sys/socket.h>

/*   PAUSED --timer--> CONNECTING --> UP --broken--> BREAKING (the handle closes) --> PAUSED */

enum { LENGTH_BYTES = 4 };

struct outgoing {
	uv_write_t request;
	struct channel *channel;
	size_t len;
	char bytes[];
};

static void end_if_over(struct channel *c)
{
	if (c->state != CHANNEL_CLOSING || c->pipe_open || c->timer_open)
		return;
	free(c->in);
	c->in = NULL;
	c->in_len = c->in_cap = 0;
	c->events->on_closed(c); /* may free c */
}

static void on_again(uv_timer_t *timer);

static void on_pipe_closed(uv_handle_t *handle)
{
	struct channel *c = container_of((uv_pipe_t *)handle, struct channel, pipe);
	c->pipe_open = false;
	c->in_len = 0;
	if (c->state == CHANNEL_CLOSING) {
		end_if_over(c);
		return;
	}
	c->state = CHANNEL_PAUSED;
	uv_timer_start(&c->again, on_again, c->pause_ms, 0);
	c->pause_ms = c->pause_ms * 2 < CHANNEL_PAUSE_LAST_MS ? c->pause_ms * 2 : CHANNEL_PAUSE_LAST_MS;
}

static void break_off(struct channel *c, const char *why)
{
	if (c->state != CHANNEL_CONNECTING && c->state != CHANNEL_UP)
		return;
	/* Who takes connections and never says a word is no better than who takes none. */
	if (c->fruitful)
		c->pause_ms = CHANNEL_PAUSE_FIRST_MS;
	c->state = CHANNEL_BREAKING;
	uv_close((uv_handle_t *)&c->pipe, on_pipe_closed);
	c->events->on_down(c, why);
}

/* ---- reading ---- */

static size_t frame_length(const char *at)
{
	const uint8_t *b = (const uint8_t *)at;
	return LENGTH_BYTES + ((size_t)b[0] | (size_t)b[1] << 8 | (size_t)b[2] << 16 | (size_t)b[3] << 24);
}

/* Keeps what is not a whole frame yet. bytes may be in c->in already. */
static bool keep(struct channel *c, const char *bytes, size_t n)
{
	if (n > c->in_cap) {
		char *bigger = malloc(c->frame_max);
		if (!bigger)
			return false;
		memcpy(bigger, bytes, n);
		free(c->in);
		c->in = bigger;
		c->in_cap = c->frame_max;
	} else if (n) {
		memmove(c->in, bytes, n);
	} else { /* nothing is held while nothing comes */
		free(c->in);
		c->in = NULL;
		c->in_cap = 0;
	}
	c->in_len = n;
	return true;
}

/* Hands out whole frames; returns how many bytes they were. */
static size_t hand_out(struct channel *c, const char *bytes, size_t n)
{
	size_t used = 0;
	while (c->state == CHANNEL_UP && n - used >= LENGTH_BYTES) {
		size_t length = frame_length(bytes + used);
		if (length > c->frame_max) {
			break_off(c, "it sent a message that is too long");
			break;
		}
		if (n - used < length)
			break;
		const char *wrong = c->events->on_frame(c, slice_of(bytes + used, length));
		used += length;
		c->fruitful |= !wrong;
		if (wrong)
			break_off(c, wrong);
	}
	return used;
}

/* A frame that began earlier is completed in c->in, which holds one frame at most; what comes behind it is handed out where it lies. */
static void take(struct channel *c, const char *bytes, size_t n)
{
	while (c->in_len && n) {
		size_t want = c->in_len < LENGTH_BYTES ? LENGTH_BYTES : frame_length(c->in);
		size_t piece = want - c->in_len < n ? want - c->in_len : n;
		CHECK(want <= c->in_cap); /* from LENGTH_BYTES on hand_out() has looked at the length */
		memcpy(c->in + c->in_len, bytes, piece);
		c->in_len += piece;
		bytes += piece;
		n -= piece;
		size_t used = hand_out(c, c->in, c->in_len);
		if (c->state != CHANNEL_UP)
			return;
		if (used)
			c->in_len = 0;
	}
	size_t used = hand_out(c, bytes, n);
	if (c->state != CHANNEL_UP || (c->in_len && n == 0))
		return;
	if (!keep(c, bytes + used, n - used))
		break_off(c, "there is no memory for its messages");
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	struct channel *c = container_of((uv_pipe_t *)handle, struct channel, pipe);
	*out = uv_buf_init(c->loop->plain, LOOP_READ_BYTES);
}

static void on_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *buf)
{
	struct channel *c = container_of((uv_pipe_t *)handle, struct channel, pipe);
	if (n > 0)
		take(c, buf->base, (size_t)n);
	else if (n < 0)
		break_off(c, n == UV_EOF ? "it closed the connection" : uv_strerror((int)n));
}

/* ---- writing ---- */

char *channel_frame(size_t n)
{
	struct outgoing *o = malloc(sizeof(*o) + n);
	if (!o)
		return NULL;
	o->len = n;
	return o->bytes;
}

static void on_written(uv_write_t *request, int status)
{
	struct outgoing *o = container_of(request, struct outgoing, request);
	struct channel *c = o->channel;
	c->waiting_bytes -= o->len;
	free(o);
	if (status < 0)
		break_off(c, uv_strerror(status));
}

bool channel_send(struct channel *c, char *frame, size_t n)
{
	struct outgoing *o = container_of(frame, struct outgoing, bytes);
	int sent = UV_EAGAIN;
	if (c->state != CHANNEL_UP || c->waiting_bytes + n > c->waiting_max) {
		free(o);
		return false;
	}
	uv_buf_t piece = uv_buf_init(o->bytes, (unsigned)n);
	if (c->waiting_bytes == 0)
		sent = uv_try_write((uv_stream_t *)&c->pipe, &piece, 1);
	if (sent == (int)n) {
		free(o);
		return true;
	}
	if (sent > 0)
		piece = uv_buf_init(o->bytes + sent, (unsigned)(n - (size_t)sent));
	o->channel = c;
	o->len = piece.len;
	c->waiting_bytes += o->len;
	if (uv_write(&o->request, (uv_stream_t *)&c->pipe, &piece, 1, on_written)) {
		c->waiting_bytes -= o->len;
		free(o);
		return false;
	}
	return true;
}

/* ---- beginning and end ---- */

static bool is_trusted(const struct channel *c)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	uv_os_fd_t fd;
	if (!c->events->trusts)
		return true;
	return uv_fileno((const uv_handle_t *)&c->pipe, &fd) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && len == sizeof(peer) &&
	       c->events->trusts(c, peer.uid);
}

static void on_connected(uv_connect_t *request, int status)
{
	struct channel *c = container_of(request, struct channel, connect);
	if (c->state != CHANNEL_CONNECTING)
		return;
	if (status == 0 && !is_trusted(c)) {
		break_off(c, "another user's process listens there");
		return;
	}
	int failed = status ? status : uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read);
	if (failed) {
		break_off(c, uv_strerror(failed));
		return;
	}
	c->state = CHANNEL_UP;
	c->events->on_up(c);
}

static void on_again(uv_timer_t *timer)
{
	struct channel *c = container_of(timer, struct channel, again);
	uv_pipe_init(&c->loop->uv, &c->pipe, 0);
	c->pipe_open = true;
	c->fruitful = false;
	c->state = CHANNEL_CONNECTING;
	uv_pipe_connect(&c->connect, &c->pipe, c->path, on_connected);
}

struct err channel_open(struct channel *c, struct loop *l, const char *path, size_t frame_max, size_t waiting_max,
                        const struct channel_events *events)
{
	*c = (struct channel){.loop = l,
	                      .path = path,
	                      .frame_max = frame_max,
	                      .waiting_max = waiting_max,
	                      .events = events,
	                      .pause_ms = CHANNEL_PAUSE_FIRST_MS};
	if (strlen(path) >= CHANNEL_PATH_BYTES)
		return ERR_OF(SETTINGS, .what = "the path of a Unix socket may have 107 bytes");
	uv_timer_init(&l->uv, &c->again);
	c->timer_open = true;
	uv_timer_start(&c->again, on_again, 0, 0);
	return OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct channel *c = container_of((uv_timer_t *)handle, struct channel, again);
	c->timer_open = false;
	end_if_over(c);
}

void channel_close(struct channel *c)
{
	if (c->state == CHANNEL_CLOSING)
		return;
	bool closing = c->state == CHANNEL_BREAKING;
	c->state = CHANNEL_CLOSING;
	if (c->pipe_open && !closing)
		uv_close((uv_handle_t *)&c->pipe, on_pipe_closed);
	if (c->timer_open)
		uv_close((uv_handle_t *)&c->again, on_timer_closed);
}
