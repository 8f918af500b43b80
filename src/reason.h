/* SPDX-License-Identifier: ISC */
/* reason: the names of all refusals and failures, with status, log word and
 * what becomes of the connection. */
#ifndef REASON_H
#define REASON_H

#include <stdbool.h>

enum reason {
#define REASON(id, word, status, after, text) REASON_##id,
#include "reason.def"
#undef REASON
	REASON_COUNT
};

const char *reason_word(enum reason reason); /* "malformed.host" */
int reason_status(enum reason reason);	     /* 0: nothing can be answered */
bool reason_closes(enum reason reason);
const char *reason_text(enum reason reason); /* a sentence without its dot */
/* RFC 9110 15 reason phrase ("Method Not Allowed"), "" when unknown. */
const char *status_phrase(int status);

#endif
