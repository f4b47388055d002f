#include "core/authd/refusal.h"

#include "core/base/log.h"

#include <gssapi/gssapi_krb5.h>
#include <krb5.h>
#include <stdio.h>

void refusal_describe(const struct ap_req *ticket, char out[static AUTHD_DETAIL_BYTES])
{
	char enctype[64];
	size_t n = ap_req_service(ticket, out, AUTHD_DETAIL_BYTES - 100);
	keytab_enctype_name(ticket->enctype, enctype);
	if (ticket->has_kvno)
		snprintf(out + n, AUTHD_DETAIL_BYTES - n, " kvno %u %s", ticket->kvno, enctype);
	else
		snprintf(out + n, AUTHD_DETAIL_BYTES - n, " %s", enctype);
}

static bool is_for(const struct keytab_key *key, const char *service)
{
	return strcasecmp(key->principal, service) == 0;
}

/* The library tries every key of the right kind and says only that none fitted; the keytab tells why. */
static enum authd_reason which_key_lacks(const struct keytab_view *keys, const struct ap_req *ticket)
{
	char service[AUTHD_DETAIL_BYTES];
	bool name = false, version = false, kind = false;
	ap_req_service(ticket, service, sizeof(service));
	for (size_t i = 0; i < keys->count; i++) {
		const struct keytab_key *key = &keys->keys[i];
		if (!is_for(key, service))
			continue;
		/* A keytab may hold the low 8 bits of a version only. */
		bool same = !ticket->has_kvno || key->kvno == ticket->kvno ||
		            (key->kvno < 256 && key->kvno == (ticket->kvno & 0xff));
		name = true;
		version = version || same;
		kind = kind || (same && key->enctype == ticket->enctype);
	}
	return !name      ? AUTHD_NO_KEY_FOR_SPN
	       : !version ? AUTHD_WRONG_KVNO
	       : !kind    ? AUTHD_WRONG_ENCTYPE
	                  : AUTHD_DECRYPT_FAILED;
}

static enum authd_reason reason_of(const struct keytab_view *keys, const struct ap_req *ticket, uint32_t major,
                                   uint32_t minor)
{
	if (GSS_ROUTINE_ERROR(major) == GSS_S_BAD_BINDINGS)
		return AUTHD_BINDING_WRONG;
	switch ((int32_t)minor) {
	case KRB5KRB_AP_ERR_TKT_EXPIRED:
		return AUTHD_EXPIRED;
	case KRB5KRB_AP_ERR_TKT_NYV:
		return AUTHD_NOT_YET_VALID;
	case KRB5KRB_AP_ERR_SKEW:
		return AUTHD_SKEW;
	case KRB5KRB_AP_ERR_REPEAT:
		return AUTHD_REPLAY;
	case KRB5KRB_AP_ERR_ILL_CR_TKT:
		return AUTHD_UNTRUSTED_REALM;
	case KRB5_NO_TKT_SUPPLIED:
	case KRB5_BADMSGTYPE:
	case KRB5KRB_AP_ERR_MSG_TYPE:
	case KRB5KRB_AP_ERR_BADVERSION:
		return AUTHD_MALFORMED;
	case KRB5KRB_AP_ERR_BADMATCH: /* the authenticator is of another than the ticket's client */
	case KRB5KRB_AP_ERR_INAPP_CKSUM:
	case KRB5KRB_AP_ERR_MODIFIED:
		return AUTHD_MALFORMED;
	case KRB5KRB_AP_ERR_NOKEY:
	case KRB5KRB_AP_ERR_BADKEYVER:
	case KRB5KRB_AP_ERR_BAD_INTEGRITY:
	case KRB5KRB_AP_ERR_NOT_US:
	case KRB5KRB_AP_WRONG_PRINC:
	case KRB5_KT_NOTFOUND:
	case KRB5_KT_KVNONOTFOUND:
	case KRB5_BAD_ENCTYPE:
	case KRB5_PROG_ETYPE_NOSUPP:
	case KRB5KDC_ERR_ETYPE_NOSUPP:
		return which_key_lacks(keys, ticket);
	default:
		return GSS_ROUTINE_ERROR(major) == GSS_S_DEFECTIVE_TOKEN ? AUTHD_MALFORMED : AUTHD_INTERNAL;
	}
}

void refusal_internal(struct job *j, uint32_t major, uint32_t minor)
{
	char text[AUTHD_DETAIL_BYTES] = "";
	OM_uint32 other, more = 0;
	gss_buffer_desc message = GSS_C_EMPTY_BUFFER;
	if (gss_display_status(&other, minor ? minor : major, minor ? GSS_C_MECH_CODE : GSS_C_GSS_CODE,
	                       (gss_OID)(uintptr_t)gss_mech_krb5, &more, &message) == GSS_S_COMPLETE)
		snprintf(text, sizeof(text), "%.*s", (int)message.length, (const char *)message.value);
	gss_release_buffer(&other, &message);
	event_log(EVENT_AUTHD_FAILED, "Kerberos said: %s (%u, %u)", text, major, minor);
	job_refuse(j, AUTHD_INTERNAL, text);
}

void refusal_explain(struct job *j, const struct keytab_view *keys, const struct ap_req *ticket, const char *service,
                     uint32_t major, uint32_t minor)
{
	if (major == GSS_S_CONTINUE_NEEDED) { /* only a kind of authentication that nobody uses over HTTP */
		job_refuse(j, AUTHD_MALFORMED, service);
		return;
	}
	enum authd_reason reason = reason_of(keys, ticket, major, minor);
	if (reason == AUTHD_INTERNAL)
		refusal_internal(j, major, minor);
	else
		job_refuse(j, reason, service);
}
