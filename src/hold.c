/* SPDX-License-Identifier: ISC */
/* hold: bytes count as taken once they are scanned; those that may not go on
 * yet are kept, at most form_hold of them, or one. */
#include "hold.h"

#include <assert.h>

void
hold_init(struct hold *hold, enum hold_mode mode, struct pool *pool,
    const struct head *head)
{
	enum override_body body;

	*hold = (struct hold){.mode = mode};
	buffer_init(&hold->kept, pool);
	body = override_scan_init(&hold->scan, head);
	assert(body == OVERRIDE_BODY_SCAN);
	(void)body;
}

/* Everything but the last byte so far. */
static size_t
give_but_last(
    struct hold *hold, struct transport *transport, struct slice piece)
{
	struct slice first = {piece.at, piece.len - 1};
	size_t taken = 0;

	if (!hold_release(hold, transport))
		return 0;
	if (first.len > 0)
		taken = transport->ops->body(transport, first);
	if (taken < first.len)
		return taken;
	hold->last = piece.at[first.len];
	hold->has_last = true;
	return piece.len;
}

size_t
hold_take(struct hold *hold, struct transport *transport, struct slice piece)
{
	size_t taken = piece.len;

	if (piece.len == 0)
		return 0;
	switch (hold->mode) {
	case HOLD_ALL:
		buffer_append(&hold->kept, piece);
		break;
	case HOLD_LAST:
		taken = give_but_last(hold, transport, piece);
		break;
	case HOLD_NOTHING:
		taken = transport->ops->body(transport, piece);
		break;
	}
	override_scan_feed(
	    &hold->scan, (struct slice){piece.at, taken}, &hold->found);
	return taken;
}

void
hold_end(struct hold *hold)
{
	override_scan_end(&hold->scan, &hold->found);
}

bool
hold_release(struct hold *hold, struct transport *transport)
{
	struct slice kept = buffer_slice(&hold->kept);
	struct slice last = {&hold->last, 1};

	if (kept.len > 0)
		buffer_consume(
		    &hold->kept, transport->ops->body(transport, kept));
	if (hold->has_last)
		hold->has_last = transport->ops->body(transport, last) == 0;
	return buffer_len(&hold->kept) == 0 && !hold->has_last;
}

void
hold_done(struct hold *hold)
{
	if (hold != NULL)
		buffer_release(&hold->kept);
}
