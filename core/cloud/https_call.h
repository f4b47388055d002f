/* One request to one place and its whole answer, on a connection of its own: for tokens and for proving the service, never for callers' bytes. On the
 * loop's thread. Certificates are verified; redirects are never followed; what comes is bounded. */
#pragma once
#include "core/base/err.h"
#include "core/cloud/way_out.h"
#include "core/net/resolver.h"
#include "core/net/tls.h"
#include "proto/http_msg.h"

enum { HTTPS_ANSWER_MAX = 256 * 1024, HTTPS_HEAD_MAX = 32 * 1024 };

struct https_call;

struct https_request {             /* copied where it is needed longer than the call that starts */
	const struct way_out *way; /* to the host; borrowed until the call is over */
	struct tls_client *tls;    /* borrowed, made for this host; NULL: plain */
	struct resolver *resolver; /* borrowed */
	struct slice method;       /* "POST" */
	struct slice path;         /* with its query */
	struct slice lines;        /* whole header lines, Host among them; Content-Length and Connection are added */
	struct slice body;
	msec_t timeout; /* for all of it */
};

struct https_answer { /* borrowed, while done() runs */
	const struct http_head *head;
	struct slice body;
};

/* done: once, from the loop and never from inside https_call_start(); the call is over then. why: ERR_UPSTREAM_NAME, _CONNECT, _PROXY, _TLS, _TIMEOUT, _LOST or
 * _ANSWER_BAD with words in what (per thread, until the next call), and no answer. NULL: no memory, or it failed at once; nothing will be told. */
struct https_call *https_call_start(struct loop *l, const struct https_request *r,
                                    void (*done)(void *context, struct err why, const struct https_answer *answer),
                                    void *context);
/* Nothing will be told. NULL is fine. */
void https_call_cancel(struct https_call *c);
