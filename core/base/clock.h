/* Time in microseconds: monotonic for durations, wall clock for logs. Tests replace the monotonic one. Any thread. */
#pragma once
#include <stdint.h>

typedef uint64_t usec_t;
typedef uint64_t msec_t;

usec_t clock_now(void);                  /* monotonic */
usec_t clock_wall(void);                 /* since 1970, UTC */
void clock_replace(usec_t (*now)(void)); /* tests only, before threads start; NULL restores */
/* "2026-11-22T10:51:40.123Z", 24 bytes and a NUL. */
void clock_format(usec_t wall, char out[static 25]);
