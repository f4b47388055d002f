#include "core/relay/onboarding.h"

#include "core/base/log.h"
#include "core/relay/told.h"
#include "core/relay/upstream.h"

#include <ctype.h>
#include <string.h>

static const char word[] = "onboarding";

enum { WORD_LEN = sizeof(word) - 1, SEEN = WORD_LEN + 1 };

bool onboarding_seen(uint8_t *state, struct slice piece)
{
	uint8_t at = *state;
	bool found = false;
	for (size_t i = 0; i < piece.len && at < WORD_LEN; i++) {
		int c = tolower((unsigned char)piece.at[i]);
		/* A word without repetitions but its "o": what does not go on may only begin anew, or be the "on" behind an "o". */
		if (c == word[at])
			at++;
		else
			at = c == 'o' ? 1 : at == 4 && c == 'n' ? 2 : 0;
	}
	found = at == WORD_LEN;
	*state = found ? SEEN : at;
	return found;
}

void onboarding_tell(const struct upstream *u)
{
	const char *name = u->credential->name;
	uint8_t key[16] = {0}; /* whoever is told of, not only peers */
	memcpy(key, name, strnlen(name, sizeof(key)));
	if (told_once(TOLD_ONBOARDING, key))
		event_log(EVENT_ONBOARDING,
		          "credentials.%s: discovery of the administration service and the organisation failed at the "
		          "service: "
		          "its account is not among those that may protect. Take it into the group of the tenant's "
		          "onboarding "
		          "controls (Get-AipServiceOnboardingControlPolicy shows it), or end them",
		          name);
}
