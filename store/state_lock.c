#include "store/state_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static struct err failed(const char *directory, const char *what, int error, char problem[static DB_PROBLEM_BYTES])
{
	snprintf(problem, DB_PROBLEM_BYTES, "%.300s %s: %s", directory, what, strerror(error));
	return ERR_OF(FILE, .sys = -error, .what = problem);
}

struct err state_lock_take(const char *directory, int *lock, char problem[static DB_PROBLEM_BYTES])
{
	*problem = 0;
	*lock = -1;
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return failed(directory, "cannot be opened", errno, problem);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		*lock = fd;
		return OK;
	}
	int error = errno;
	close(fd);
	if (error != EWOULDBLOCK)
		return failed(directory, "cannot be locked; it has to be on a local disk", error, problem);
	snprintf(problem, DB_PROBLEM_BYTES,
	         "%.300s is in use by another process: give each node a node.state_directory of its own", directory);
	return ERR_OF(FILE, .sys = -EBUSY, .what = problem);
}

void state_lock_release(int lock)
{
	if (lock >= 0)
		close(lock);
}
