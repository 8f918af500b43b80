/* SPDX-License-Identifier: ISC */
/* overrides: sets of overrides as text, and bodies scanned in every cutting,
 * each piece flush against a page that can't be touched. */
#ifndef OVERRIDES_H
#define OVERRIDES_H

#include <stdio.h>

#include "guard.h"
#include "override_scan.h"

/* "place name=TOKEN, ...", a cut token with "...", then " full" and
 * " unreadable"; until the next call. */
static inline const char *
overrides_show(const struct override_set *set)
{
	static char text[1024];
	size_t len = 0;
	unsigned i;

	text[0] = '\0';
	for (i = 0; i < set->count; i++) {
		const struct override_token *token = &set->token[i];
		const struct override_row *row = override_row(token->row);

		ck_assert_uint_le(token->len, METHOD_TOKEN_MAX);
		ck_assert_int_eq(token->token[token->len], '\0');
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%s%s %s=%s%s", i > 0 ? ", " : "",
		    override_place_word(row->place), row->name.at, token->token,
		    token->cut ? "..." : "");
		ck_assert_uint_lt(len, sizeof(text) - 20);
	}
	snprintf(text + len, sizeof(text) - len, "%s%s",
	    set->full ? " full" : "", set->unreadable ? " unreadable" : "");
	return text;
}

/* A POST with this Content-Type, or with none. */
static inline enum override_body
overrides_init(struct override_scan *scan, const char *type)
{
	struct field field = {.name = SLICE("Content-Type")};
	struct head head = {.method = SLICE("POST"),
	    .path = SLICE("/"),
	    .fields = &field,
	    .field_count = type != NULL};

	if (type != NULL)
		field.value = slice_of(type);
	return override_scan_init(scan, &head);
}

struct overrides_feed {
	struct override_scan scan;
	struct override_set set;
	struct guarded page;
	size_t room;
};

static inline void
overrides_piece(struct overrides_feed *feed, struct slice piece)
{
	char *at = feed->page.at + feed->room - piece.len;

	if (piece.len > 0)
		memcpy(at, piece.at, piece.len);
	override_scan_feed(
	    &feed->scan, (struct slice){at, piece.len}, &feed->set);
}

/* In pieces of `size` bytes, the first of `first` bytes. */
static inline void
overrides_cut(const char *type, struct slice body, size_t first, size_t size,
    const char *wanted)
{
	struct overrides_feed feed = {.room = body.len};
	size_t at, len = first;

	ck_assert_int_eq(overrides_init(&feed.scan, type), OVERRIDE_BODY_SCAN);
	feed.page = guard_bytes(body.at, body.len);
	for (at = 0; at < body.len; at += len, len = size) {
		len = len < body.len - at ? len : body.len - at;
		overrides_piece(&feed, (struct slice){body.at + at, len});
	}
	override_scan_end(&feed.scan, &feed.set);
	guard_free(&feed.page);
	ck_assert_msg(strcmp(overrides_show(&feed.set), wanted) == 0,
	    "%.*s\nread in pieces of %zu and %zu bytes: %s\nwanted: %s",
	    SLICE_ARG(body), first, size, overrides_show(&feed.set), wanted);
}

/* Whole, byte by byte, in threes, and cut in two at every place. */
static inline void
overrides_expect(const char *type, struct slice body, const char *wanted)
{
	size_t i;

	overrides_cut(type, body, body.len, 1, wanted);
	overrides_cut(type, body, 1, 1, wanted);
	overrides_cut(type, body, 3, 3, wanted);
	for (i = 1; i < body.len && body.len < 1024; i++)
		overrides_cut(type, body, i, body.len, wanted);
}

#endif
