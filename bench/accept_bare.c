#include "bench/accept.h"
#include "core/base/check.h"
#include "proto/spnego.h"

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct acceptor {
	const struct accept_tokens *tokens;
	size_t from, to; /* its part of them */
	const char *keytab;
	bool pac;
	pthread_barrier_t *start;
	size_t accepted;
	double cpu_s;
	char words[ACCEPT_WORDS];
};

static void explain(struct acceptor *a, const char *what, OM_uint32 major, OM_uint32 code)
{
	OM_uint32 minor, more = 0;
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	gss_display_status(&minor, code, GSS_C_MECH_CODE, (gss_OID)(uintptr_t)gss_mech_krb5, &more, &text);
	snprintf(a->words, ACCEPT_WORDS, "%s: %.*s (status %x)", what, (int)text.length,
	         text.value ? (const char *)text.value : "", major);
	gss_release_buffer(&minor, &text);
}

static bool read_pac(struct acceptor *a, gss_name_t caller)
{
	static char name[] = "urn:mspac:logon-info";
	OM_uint32 minor, ignored;
	int authenticated = 0, complete = 0, more = -1;
	gss_buffer_desc attribute = {sizeof(name) - 1, name}, value = GSS_C_EMPTY_BUFFER, shown = GSS_C_EMPTY_BUFFER;
	OM_uint32 major =
	        gss_get_name_attribute(&minor, caller, &attribute, &authenticated, &complete, &value, &shown, &more);
	if (major != GSS_S_COMPLETE || !authenticated)
		explain(a, "the PAC cannot be read", major, minor);
	gss_release_buffer(&ignored, &value);
	gss_release_buffer(&ignored, &shown);
	return major == GSS_S_COMPLETE && authenticated;
}

static bool accept_one(struct acceptor *a, gss_cred_id_t credential, struct slice token)
{
	OM_uint32 minor, ignored;
	gss_ctx_id_t context = GSS_C_NO_CONTEXT;
	gss_name_t caller = GSS_C_NO_NAME;
	gss_buffer_desc in = {token.len, (void *)(uintptr_t)token.at}, out = GSS_C_EMPTY_BUFFER;
	OM_uint32 major = gss_accept_sec_context(&minor, &context, credential, &in, GSS_C_NO_CHANNEL_BINDINGS, &caller,
	                                         NULL, &out, NULL, NULL, NULL);
	bool fine = major == GSS_S_COMPLETE;
	if (!fine)
		explain(a, "a token was not accepted", major, minor);
	else if (a->pac)
		fine = read_pac(a, caller);
	gss_release_buffer(&ignored, &out);
	gss_release_name(&ignored, &caller);
	gss_delete_sec_context(&ignored, &context, GSS_C_NO_BUFFER);
	return fine;
}

static double thread_cpu_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *on_thread_start(void *argument)
{
	struct acceptor *a = argument;
	gss_key_value_element_desc elements[] = {{"keytab", a->keytab}, {"rcache", "none:"}};
	gss_key_value_set_desc store = {2, elements};
	gss_OID_set_desc kerberos = {1, (gss_OID)(uintptr_t)gss_mech_krb5};
	gss_cred_id_t credential = GSS_C_NO_CREDENTIAL;
	OM_uint32 minor, major = gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &kerberos, GSS_C_ACCEPT,
	                                               &store, &credential, NULL, NULL);
	pthread_barrier_wait(a->start);
	if (major != GSS_S_COMPLETE) {
		explain(a, a->keytab, major, minor);
		return NULL;
	}
	double before = thread_cpu_s();
	for (size_t i = a->from; i < a->to; i++) {
		struct spnego frame;
		if (spnego_read(a->tokens->at[i], &frame) != NULL || !accept_one(a, credential, frame.token))
			break;
		a->accepted++;
	}
	a->cpu_s = thread_cpu_s() - before;
	gss_release_cred(&minor, &credential);
	return NULL;
}

bool accept_bare(const struct accept_tokens *t, const char *keytab, unsigned threads, bool pac,
                 struct accept_result *out, char words[static ACCEPT_WORDS])
{
	struct acceptor acceptors[ACCEPT_THREADS_MAX] = {0};
	pthread_t ids[ACCEPT_THREADS_MAX];
	pthread_barrier_t start;
	CHECK(threads >= 1 && threads <= ACCEPT_THREADS_MAX);
	pthread_barrier_init(&start, NULL, threads + 1);
	for (unsigned i = 0; i < threads; i++) {
		acceptors[i] = (struct acceptor){.tokens = t, .keytab = keytab, .pac = pac, .start = &start};
		acceptors[i].from = t->count * i / threads;
		acceptors[i].to = t->count * (i + 1) / threads;
		CHECK(pthread_create(&ids[i], NULL, on_thread_start, &acceptors[i]) == 0);
	}
	pthread_barrier_wait(&start);
	double began = accept_now_s();
	*out = (struct accept_result){0};
	words[0] = 0;
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(ids[i], NULL);
		out->accepted += acceptors[i].accepted;
		out->cpu_s += acceptors[i].cpu_s;
		if (acceptors[i].words[0])
			snprintf(words, ACCEPT_WORDS, "%s", acceptors[i].words);
	}
	out->seconds = accept_now_s() - began;
	pthread_barrier_destroy(&start);
	return out->accepted == t->count;
}
