/* Brings decisions from the workers into the ring each second, and the ring onto the disk in the thread pool, a segment at a time. Owned by the server;
 * main thread. Tells events 4053 and 4054, once for each change between the two. */
#pragma once
#include "core/net/loop.h"
#include "store/decisions.h"

struct decision_keeper;

/* decisions: borrowed until on_closed. ERR_NO_MEMORY. */
struct err decision_keeper_open(struct loop *l, struct decisions *decisions, struct decision_keeper **out);
/* Each second. */
void decision_keeper_tick(struct decision_keeper *k);
/* Writes what is left, as far as it can be written at once, and frees itself; blocks. After the workers have ended. NULL is fine. */
void decision_keeper_close(struct decision_keeper *k);
