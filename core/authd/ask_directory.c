#include "core/authd/ask.h"
#include "core/authd/directory_asks.h"
#include "core/authd/directory_object.h"

#define FROM_DIRECTORY(name)                                                                         \
	json_t *ask_##name(struct authd *a, const json_t *question)                                  \
	{                                                                                            \
		return a->directory ? directory_ask_##name(a->directory, question) : no_directory(); \
	}

static json_t *no_directory(void)
{
	return directory_error("no-directory", "no realm with a directory is in the settings",
	                       "add - name: CORP.TEST to realms, or name accounts by SID or principal");
}

FROM_DIRECTORY(find)
FROM_DIRECTORY(search)
FROM_DIRECTORY(members)
FROM_DIRECTORY(groups)
FROM_DIRECTORY(path)
FROM_DIRECTORY(accounts)
FROM_DIRECTORY(directory)
