/* XML read for its elements only, by expat, the one file that sees it. No DTD (so no entities of the sender's), UTF-8 and its subsets only, bounded
 * depth. The bytes may be the start of a document. Pure: nothing is kept between calls. */
#pragma once
#include "core/base/slice.h"

struct xml_element {
	struct slice namespace, local; /* valid in the callback only */
	struct slice raw;              /* the local name in the bytes given; on_open only */
	unsigned depth;                /* 0: the document's element */
};

enum xml_step { XML_GO_ON, XML_STOP, XML_REFUSE };
struct xml_events { /* either may be NULL */
	enum xml_step (*on_open)(void *arg, const struct xml_element *e);
	enum xml_step (*on_close)(void *arg, const struct xml_element *e);
};

enum xml_verdict {
	XML_STOPPED, /* a callback said XML_STOP */
	XML_MORE,    /* well formed so far, not at its end */
	XML_WHOLE,
	XML_REFUSED, /* not well formed, DTD, encoding, depth, memory, or a callback said XML_REFUSE */
};
/* depth_max: elements open at once. */
enum xml_verdict xml_scan(struct slice bytes, unsigned depth_max, const struct xml_events *events, void *arg);
