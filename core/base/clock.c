#include "core/base/clock.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static usec_t (*replaced)(void);

static usec_t read_clock(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (usec_t)t.tv_sec * 1000000 + (usec_t)t.tv_nsec / 1000;
}

usec_t clock_now(void)
{
	return replaced ? replaced() : read_clock(CLOCK_MONOTONIC);
}

usec_t clock_wall(void)
{
	return read_clock(CLOCK_REALTIME);
}

void clock_replace(usec_t (*now)(void))
{
	replaced = now;
}

void clock_format(usec_t wall, char out[static 25])
{
	/* A line of the request log needs it each time, and most lines share their second with the one before. */
	static _Thread_local struct {
		uint64_t second;
		char text[20];
	} last = {.second = UINT64_MAX};
	uint64_t second = wall / 1000000;
	if (second != last.second) {
		time_t seconds = (time_t)second;
		struct tm t = {0};
		gmtime_r(&seconds, &t);
		/* Bounded by hand: the compiler cannot know that a year has four digits. */
		snprintf(last.text, sizeof(last.text), "%04u-%02u-%02uT%02u:%02u:%02u",
		         (unsigned)(t.tm_year + 1900) % 10000u, (unsigned)(t.tm_mon + 1) % 100u,
		         (unsigned)t.tm_mday % 100u, (unsigned)t.tm_hour % 100u, (unsigned)t.tm_min % 100u,
		         (unsigned)t.tm_sec % 100u);
		last.second = second;
	}
	unsigned ms = (unsigned)(wall / 1000 % 1000);
	char tail[6] = {'.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10), 'Z', 0};
	memcpy(out, last.text, 19);
	memcpy(out + 19, tail, sizeof(tail));
}
