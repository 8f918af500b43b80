/* SPDX-License-Identifier: ISC */
/* Any bytes as target, or as authority: what is accepted must keep what uri.h
 * promises. Input: a method up to the first space, then the target. */
#include <stdint.h>
#include <stdlib.h>

#include "uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static bool
lies_in(struct slice part, struct slice whole)
{
	return part.at >= whole.at &&
	       part.at + part.len <= whole.at + whole.len;
}

static void
check_authority(struct slice s)
{
	struct slice host = uri_host(s);

	if (s.len > 0)
		must(lies_in(host, s));
	if (!uri_authority_valid(s))
		return;
	must(host.len > 0);
	must(uri_authority_valid(host));
	must(slice_eq(uri_host(host), host));
	must(uri_authority_same(s, s, SLICE("http")));
	must(uri_authority_same(s, s, SLICE("https")));
	must(slice_find(s, '@', 0) == s.len);
	must(slice_find(host, '/', 0) == host.len);
}

static void
check_path(const struct head *head)
{
	size_t left = head->target.len - head->path.len;

	must(head->path.at == head->target.at);
	must(slice_find(head->path, '?', 0) == head->path.len);
	if (head->query.at == NULL) {
		must(left == 0 || head->path.len == 0);
		return;
	}
	must(left == head->query.len + 1);
	must(head->query.at + head->query.len ==
	     head->target.at + head->target.len);
	must(head->path.at[head->path.len] == '?');
}

static void
check_head(const struct head *head, struct slice raw, struct slice method)
{
	bool connect = slice_eq(method, SLICE("CONNECT"));

	must(head->target.len > 0);
	check_path(head);
	must((head->scheme.len > 0) == (head->authority.len > 0));
	if (head->authority.len > 0) {
		must(uri_authority_valid(head->authority));
		must(lies_in(head->authority, raw));
		must(head->form != TARGET_ORIGIN);
	} else {
		must(head->target.at == raw.at && head->target.len == raw.len);
	}
	if (connect)
		must(head->path.len == 0 && uri_authority_valid(head->target));
	else if (head->form == TARGET_ASTERISK)
		must(slice_eq(head->target, SLICE("*")));
	else
		must(head->path.len > 0 && head->path.at[0] == '/');
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct slice all = {(const char *)bytes, size}, method, raw;
	size_t space = slice_find(all, ' ', 0);
	struct head head;

	if (size == 0)
		return 0;
	check_authority(all);
	method = (struct slice){all.at, space};
	raw = space < size
		  ? (struct slice){all.at + space + 1, size - space - 1}
		  : SLICE_NONE;
	check_authority(raw);
	if (uri_target(raw, method, &head) == REASON_NONE)
		check_head(&head, raw, method);
	return 0;
}
