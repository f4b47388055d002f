/* CHECK is for our own mistakes only, in every build; input is answered with an error, never checked with this. */
#pragma once

_Noreturn void check_failed(const char *expression, const char *file, int line);

#define CHECK(expression)                                              \
	do {                                                           \
		if (__builtin_expect(!(expression), 0))                \
			check_failed(#expression, __FILE__, __LINE__); \
	} while (0)

#define container_of(pointer, type, member)   ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define ARRAY_COUNT(array)                    (sizeof(array) / sizeof((array)[0]))
/* Runs fn(&variable) at the end of the scope. */
#define CLEANUP(fn)                           __attribute__((cleanup(fn)))
#define PRINTF_LIKE(format_index, args_index) __attribute__((format(printf, format_index, args_index)))
