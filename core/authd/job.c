#include "core/authd/job.h"

#include <stdlib.h>

struct job *job_new(uint64_t connection, struct slice bytes)
{
	struct job *j = malloc(sizeof(*j) + bytes.len);
	if (!j)
		return NULL;
	*j = (struct job){.connection = connection, .arrived = clock_now(), .len = bytes.len};
	list_init(&j->link);
	arena_init(&j->arena, NULL, 0, JOB_ARENA_BYTES);
	memcpy(j->bytes, bytes.at, bytes.len);
	size_t used;
	CHECK(!authd_msg_read(slice_of(j->bytes, j->len), &j->msg, &used) && used == j->len);
	if (j->msg.type == AUTHD_REQUEST) {
		const struct authd_request *q = &j->msg.request;
		j->origin = q->origin;
		j->late_at = q->wait_ms ? j->arrived + q->wait_ms * 1000ull : 0;
		j->reply.id = q->id;
		job_refuse(j, AUTHD_INTERNAL, NULL); /* unless somebody says otherwise */
	} else {
		CHECK(j->msg.type == AUTHD_ASK);
		j->told.id = j->msg.ask.id;
	}
	return j;
}

void job_free(struct job *j)
{
	if (!j)
		return;
	arena_done(&j->arena);
	explicit_bzero(j->bytes, j->len); /* a keytab may have come in it */
	free(j);
}

void job_refuse(struct job *j, enum authd_reason reason, const char *detail)
{
	struct slice text = {NULL, 0};
	if (detail && *detail) {
		text = arena_copy(&j->arena, slice_until(slice_str(detail), AUTHD_DETAIL_BYTES));
		char *at = (char *)(uintptr_t)text.at;
		for (size_t i = 0; i < text.len; i++)
			if (at[i] < 0x20 || at[i] > 0x7e)
				at[i] = '?';
	}
	j->reply = (struct authd_reply){
	        .id = j->msg.request.id, .outcome = AUTHD_REFUSED, .reason = reason, .detail = text};
}

struct authd_msg job_answer(const struct job *j)
{
	if (j->msg.type == AUTHD_ASK)
		return (struct authd_msg){.type = AUTHD_TOLD, .told = j->told};
	return (struct authd_msg){.type = AUTHD_REPLY, .reply = j->reply};
}
