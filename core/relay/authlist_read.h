/* One reading of the list of authorized servers, checked whole, and the writing of one that this node owns. Any thread; calls block. */
#pragma once
#include "proto/authlist_doc.h"
#include "store/authlist.h"

struct authlist_reading {
	const char *path;                  /* borrowed, absolute */
	struct authlist_rows rows;         /* to be ended with authlist_rows_done(), good or not */
	uint8_t hash[AUTHLIST_HASH_BYTES]; /* of document */
	char *document;                    /* canonical, malloc'd: the caller's; NULL when it could not be read */
	size_t document_len;
	bool good;
	char problem[AUTHLIST_DOC_PROBLEM_BYTES]; /* why it is not good, to be read behind the path */
};

/* The file of path. Sets good. */
void authlist_read_file(struct authlist_reading *r);
/* The same for text that is there already; does not set good. */
bool authlist_read_text(struct authlist_reading *r, struct slice text);
/* document into the file of path: whole and on the disk when it returns true, else the old file is there, and problem says why. */
bool authlist_write_file(struct authlist_reading *r);
