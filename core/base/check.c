#include "core/base/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *expression, const char *file, int line)
{
	fprintf(stderr, "rms-connector: internal mistake: %s is not true, at %s:%d. Please report this line.\n",
	        expression, file, line);
	abort();
}
