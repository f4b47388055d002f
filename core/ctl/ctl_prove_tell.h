/* A proof for people, and as a document without tokens and licences (docs/upstream.md says its shape). */
#pragma once
#include "core/cloud/prove_verdict.h"

#include <jansson.h>
#include <stdio.h>

json_t *ctl_prove_transcript(const struct prove *p, const struct prove_verdict *v);
void ctl_prove_tell(FILE *out, const struct prove *p, const struct prove_verdict *v);
