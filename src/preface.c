/* SPDX-License-Identifier: ISC */
/* preface: the client's address, out of what is known of him as text. */
#include "preface.h"

/* No address: it is not known. */
static void
find_source(const struct forward_origin *origin, struct addr *out)
{
	char text[ADDR_TEXT_MAX];
	struct slice peer = {text, addr_ip_text(origin->peer, text)};

	if (slice_eq(origin->client_ip, peer))
		*out = *origin->peer;
	else if (!addr_parse_ip(origin->client_ip, out))
		out->len = 0;
}

struct slice
preface_make(const struct server_config *server,
    const struct forward_origin *origin, struct client *client,
    struct arena *arena)
{
	struct addr source, destination = {.len = 0};
	char *out;

	if (server->send_proxy == PROXY_NONE)
		return SLICE_NONE;
	find_source(origin, &source);
	if (client->ops->local != NULL)
		client->ops->local(client, &destination);
	out = arena_alloc(arena, PROXY_WRITE_MAX);
	return (struct slice){
	    out, proxy_write(server->send_proxy, &source, &destination, out)};
}
