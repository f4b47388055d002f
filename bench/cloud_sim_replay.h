/* A transcript of `rms-connectorctl upstream prove --out` as a script: the stand-in refuses and fails where that service did. What it answered with
 * success is in no transcript; the stand-in's own answers take its place. */
#pragma once
#include "bench/cloud_sim_login.h"
#include "bench/cloud_sim_script.h"

/* err.what names the file and what is wrong with it. */
struct err sim_replay(struct sim_script *s, const struct sim_login *login, const char *file);
