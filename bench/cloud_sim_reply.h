/* The bytes of an answer: what the service says, or what a rule says instead, framed as the rule wants it. Used in one worker's thread. */
#pragma once
#include "bench/cloud_sim_options.h"
#include "bench/cloud_sim_script.h"
#include "bench/rms_answer.h"
#include "proto/http_msg.h"

/* What is kept of a request's head, whose bytes are gone when the answer is made. */
struct sim_question {
	enum http_method method;
	const struct rms_service *service; /* NULL: no such path */
	enum rms_op_id op;                 /* by SOAPAction; OP_NONE: none or unknown */
	bool has_action, is_xml, keep_alive, too_large;
	bool is_login;           /* for the login service */
	struct sim_login *login; /* borrowed; NULL: none, and no token is asked for */
	enum sim_token token;    /* when one is */
	char host[280];          /* of a token request */
	enum soap_version soap;
	char identity[80]; /* empty: the connector's own */
};
/* options, login: NULL in tests of the service alone. */
void sim_question_read(struct sim_question *q, const struct http_head *head, const struct sim_options *options,
                       struct sim_login *login);

struct sim_reply {
	struct text wire;
	unsigned status;
	bool closes; /* the connection ends with it */
};
/* rule NULL: none. body: the request's; empty when the answer comes before it. wire is cleared first. */
void sim_reply_make(struct sim_reply *reply, struct rms_answers *answers, const struct sim_question *q,
                    const struct sim_rule *rule, struct slice body);
