/* SPDX-License-Identifier: ISC */
/* transport_cases: what every transport has to keep of transport.h, against a
 * server that keeps to nothing. */
#ifndef TRANSPORT_CASES_H
#define TRANSPORT_CASES_H

#include <check.h>

#include "fake_errand.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define NONE ((struct body_plan){BODY_NONE, 0})

/* Acts of a script. */
#define SEND(text)                                                             \
	{                                                                      \
		FAKE_SEND, 0,                                                  \
		{                                                              \
			text, sizeof(text) - 1                                 \
		}                                                              \
	}
#define SEND_BLOCKS(n)                                                         \
	{                                                                      \
		FAKE_SEND, n,                                                  \
		{                                                              \
			fake_block, sizeof(fake_block)                         \
		}                                                              \
	}
#define ACT(verb)                                                              \
	{                                                                      \
		FAKE_##verb, 0,                                                \
		{                                                              \
			NULL, 0                                                \
		}                                                              \
	}
#define BODY(n)                                                                \
	{                                                                      \
		FAKE_BODY, n,                                                  \
		{                                                              \
			NULL, 0                                                \
		}                                                              \
	}

/* All cases, for this transport. */
void transport_cases_add(TCase *tcase, transport_open_fn *open);

#endif
