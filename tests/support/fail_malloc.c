/* Preloaded into a program under test: allocations fail when the test says so, through a file that both map (RMS_FAIL_MALLOC). Built by tests/memory. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t count, size_t n);
extern void *__libc_realloc(void *old, size_t n);

struct control { /* as in tests/memory/test_failing_memory.py */
	uint64_t seen, from, count, failed;
};

static struct control nothing, *control = &nothing;

__attribute__((constructor)) static void open_control(void)
{
	const char *path = getenv("RMS_FAIL_MALLOC");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	void *map = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map != MAP_FAILED)
		control = map;
}

/* Number `from` and those behind it, `count` in all. */
static int fails(void)
{
	uint64_t at = __atomic_fetch_add(&control->seen, 1, __ATOMIC_SEQ_CST);
	uint64_t from = __atomic_load_n(&control->from, __ATOMIC_SEQ_CST);
	if (at < from || at - from >= __atomic_load_n(&control->count, __ATOMIC_SEQ_CST))
		return 0;
	__atomic_fetch_add(&control->failed, 1, __ATOMIC_SEQ_CST);
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t count, size_t n)
{
	return fails() ? NULL : __libc_calloc(count, n);
}

void *realloc(void *old, size_t n)
{
	return fails() ? NULL : __libc_realloc(old, n);
}
