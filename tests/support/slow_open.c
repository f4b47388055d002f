/* Preloaded into a node: a file system that takes SLOW_OPEN_S seconds to open SLOW_OPEN_PATH, in any thread but the main one. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int open(const char *path, int flags, ...)
{
	const char *slow = getenv("SLOW_OPEN_PATH"), *seconds = getenv("SLOW_OPEN_S");
	int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
	va_list more;
	va_start(more, flags);
	mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
	va_end(more);
	if (slow && seconds && strcmp(path, slow) == 0 && gettid() != getpid())
		sleep((unsigned)atoi(seconds));
	return next(path, flags, mode);
}
