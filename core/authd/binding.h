/* Channel bindings (RFC 5056, 5929) as NTLM has them: the hash that a caller puts into its answer. Any thread. */
#pragma once
#include "core/base/slice.h"
#include "proto/ntlm_authenticate.h"

/* MD5 of a gss_channel_bindings_struct without addresses, as [MS-NLMP] 2.2.2.1 wants it. data: "tls-server-end-point:..." and the hash, at most
 * AUTHD_BINDING_BYTES. false: the library cannot. */
bool binding_for_ntlm(struct slice data, uint8_t out[static NTLM_BINDING_BYTES]);
