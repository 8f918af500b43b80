/* SPDX-License-Identifier: ISC */
/* dav: Destination is read by the rules of request targets, as strictly. */
#include "dav.h"

#include "uri.h"

enum dav_destination
dav_destination(const struct head *head, unsigned method, struct head *to)
{
	const struct field *field = head_field(head, FIELD_DESTINATION);

	if ((method != METHOD_COPY && method != METHOD_MOVE) || field == NULL)
		return DAV_DESTINATION_NONE;
	*to = (struct head){.minor = 1};
	if (head_count(head, FIELD_DESTINATION) > 1 || field->value.len == 0 ||
	    uri_target(field->value, head->method, to) != REASON_NONE ||
	    to->form == TARGET_ASTERISK)
		return DAV_DESTINATION_BAD;
	return DAV_DESTINATION_GOOD;
}

/* "infinity" and whatever is no depth count as all of it. */
static bool
is_shallow(const struct head *head, bool one_too)
{
	const struct field *depth = head_field(head, FIELD_DEPTH);

	if (depth == NULL || head_count(head, FIELD_DEPTH) > 1)
		return false;
	return slice_eq(depth->value, SLICE("0")) ||
	       (one_too && slice_eq(depth->value, SLICE("1")));
}

bool
dav_on_tree(const struct head *head, unsigned method)
{
	enum method_tree tree = method_tree_of(method);

	if (tree == TREE_NO || tree == TREE_ALWAYS)
		return tree == TREE_ALWAYS;
	return !is_shallow(head, tree == TREE_UNLESS_0_1);
}
