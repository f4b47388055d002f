/* Answers we give ourselves: refusals by their row in errors.def, help pages, health. Each is counted by its effect on the caller. */
#pragma once
#include "core/relay/exchange.h"

/* Writes the answer of x->failure to the caller; x->status tells what it was. close: this connection ends after it. */
void answer_failure(struct exchange *x, bool close);
/* The page administrators open to see whether a connector is there; never touches the cloud. */
void answer_help(struct exchange *x, bool close);
/* 200 with a SOAP message of our own, in the version of the question. */
void answer_soap(struct exchange *x, struct slice message, bool close);
/* /livez and /readyz, without details. */
void answer_health(struct exchange *x, bool readiness, bool close);
