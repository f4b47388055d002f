/* Why a ticket was refused, out of what the library said, what the ticket says of itself and which keys there are: each cause its own reason, because each
 * is mended elsewhere. Any thread. */
#pragma once
#include "core/authd/job.h"
#include "core/authd/keytab.h"
#include "proto/ap_req.h"

/* "HTTP/rms.corp.test@CORP.TEST kvno 3 aes256-cts-hmac-sha1-96" */
void refusal_describe(const struct ap_req *ticket, char out[static AUTHD_DETAIL_BYTES]);
/* major, minor: of gss_accept_sec_context(). */
void refusal_explain(struct job *j, const struct keytab_view *keys, const struct ap_req *ticket, const char *service,
                     uint32_t major, uint32_t minor);
/* Something that is no caller's doing. */
void refusal_internal(struct job *j, uint32_t major, uint32_t minor);
