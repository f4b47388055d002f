#include "core/relay/told.h"

#include "core/base/clock.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

static struct {
	pthread_mutex_t lock;
	struct told {
		uint8_t peer[16];
		uint8_t what; /* 1 + enum told_what; 0: free */
		usec_t at;
	} all[TOLD_PEERS];
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool told_once(unsigned what, const uint8_t peer[static 16])
{
	usec_t now = clock_now();
	pthread_mutex_lock(&table.lock);
	struct told *place = &table.all[0];
	for (size_t i = 0; i < TOLD_PEERS; i++) {
		struct told *t = &table.all[i];
		if (t->what == 1 + what && memcmp(t->peer, peer, sizeof(t->peer)) == 0) {
			place = t;
			break;
		}
		if (t->what == 0 || (place->what && t->at < place->at))
			place = t;
	}
	bool same = place->what == 1 + what && memcmp(place->peer, peer, sizeof(place->peer)) == 0;
	bool fresh = !same || now - place->at >= TOLD_AGAIN_S * 1000000ull;
	if (fresh) {
		*place = (struct told){.what = (uint8_t)(1 + what), .at = now};
		memcpy(place->peer, peer, sizeof(place->peer));
	}
	pthread_mutex_unlock(&table.lock);
	return fresh;
}
