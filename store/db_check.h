/* Whether an LMDB file can be mapped and written without harm: looked at from outside, without LMDB, as far as that goes. Pure but for reading. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DB_CHECK_WORDS = 160 };

/* fd: the open file. True: it is empty or its newest pages all lie within it. wrong: why not. *used: bytes up to its last page. */
bool db_check_size(int fd, char wrong[static DB_CHECK_WORDS], uint64_t *used);
