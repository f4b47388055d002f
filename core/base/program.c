#include "core/base/program.h"

#include <stdio.h>
#include <sysexits.h>

int program_usage_error(const char *program, const char *what, const char *value)
{
	fprintf(stderr, "%s: %s%s%s\nTry: %s --help\n", program, what, value ? ": " : "", value ? value : "", program);
	return EX_USAGE;
}
