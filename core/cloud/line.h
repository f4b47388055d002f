/* What is said to the cloud with a line that somebody else makes (the kind exec): asked for early enough that the one before is still good, once at a
 * time, and used on while it is good. Main thread.
 *
 *   line_open -> ask -> line_told(good): on_line, asked again at 80 % of its life, 5 minutes before its end at most
 *                       line_told(problem): asked again after 1, 2, 4 ... 60 s */
#pragma once
#include "core/base/err.h"
#include "core/base/slice.h"
#include "core/net/loop.h"

struct line;

enum { LINE_PROBLEM_BYTES = 640 };

struct line_events {
	/* Asks for it; line_told() later, never from inside. false: that cannot be asked now. */
	bool (*ask)(void *context);
	/* Borrowed. Empty: the last one has ended. */
	void (*on_line)(void *context, struct slice text);
};

/* name: for events, "credentials.NAME", borrowed. */
struct err line_open(struct loop *l, const char *name, const struct line_events *events, void *context,
                     struct line **out);
/* problem NULL: text is good until ends_s, seconds since 1970. */
void line_told(struct line *x, struct slice text, int64_t ends_s, const char *problem);
/* Asks now. */
void line_again(struct line *x);
struct line_state {
	int64_t ends_s; /* 0: there is none */
	uint32_t fetched, failed;
	const char *problem; /* of the last try; NULL: none */
};
struct line_state line_state(const struct line *x);
/* Frees itself when its handles are closed. NULL is fine. */
void line_close(struct line *x);
