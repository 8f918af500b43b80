/* SPDX-License-Identifier: ISC */
/* entrances: a list, matched with each new configuration by address. */
#include "entrances.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "log.h"

enum state {
	NEW, /* opened by a prepare that was not yet committed */
	OPEN
};

struct place {
	TAILQ_ENTRY(place) entry;
	struct entrances *owner;
	struct entrance is; /* is.fd is not used; listen: in force, or NULL */
	const struct listen_config *next; /* prepared; NULL: it is to go */
	enum state state;
	struct addr addr;
	struct listen_file options, before; /* of the file; before prepare */
	bool changed; /* the file has options of what is prepared */
	struct listener_file file;
	int *fds; /* by worker; of a unix socket one; -1: given away */
	unsigned fd_count;
	struct listener *listener; /* of a unix socket, once committed */
};
TAILQ_HEAD(place_list, place);

struct entrances {
	struct loop *loop;
	unsigned workers, last_id;
	unsigned long long pauses;
	struct entrances_owner to;
	struct place_list places;
};

struct entrances *
entrances_new(struct loop *loop, unsigned workers, struct entrances_owner owner)
{
	struct entrances *entrances = mem_alloc(sizeof(*entrances));

	*entrances =
	    (struct entrances){.loop = loop, .workers = workers, .to = owner};
	TAILQ_INIT(&entrances->places);
	return entrances;
}

static void
on_accept(void *arg, int fd, const struct addr *peer)
{
	struct place *place = arg;
	struct entrances_owner *to = &place->owner->to;

	to->accept(to->arg, fd, peer, place->is.id);
}

static void
on_paused(void *arg)
{
	((struct place *)arg)->owner->pauses++;
}

static bool
is_unix(const struct place *place)
{
	return place->addr.sa.ss_family == AF_UNIX;
}

static void
remove_file(struct place *place)
{
	struct listen_config listen = {.addr = place->addr};

	listener_remove(&listen, &place->file);
	place->file.inode = 0;
}

/* The file goes first, so that nobody comes after the last one is taken. */
static void
stop_accepting(struct place *place)
{
	remove_file(place);
	if (place->listener != NULL)
		listener_drain(place->listener);
	listener_free(place->listener);
	place->listener = NULL;
}

static void
close_place(struct place *place)
{
	TAILQ_REMOVE(&place->owner->places, place, entry);
	listener_free(place->listener);
	for (unsigned i = 0; i < place->fd_count; i++)
		if (place->fds[i] >= 0)
			close(place->fds[i]);
	remove_file(place);
	free(place->fds);
	free(place);
}

void
entrances_drain(struct entrances *entrances)
{
	struct place *place;

	TAILQ_FOREACH(place, &entrances->places, entry)
	stop_accepting(place);
}

void
entrances_free(struct entrances *entrances)
{
	struct place *place;

	if (entrances == NULL)
		return;
	while ((place = TAILQ_FIRST(&entrances->places)) != NULL)
		close_place(place);
	free(entrances);
}

/* ---- what a configuration asks for ---- */

static struct place *
find(struct entrances *entrances, const struct addr *addr)
{
	struct place *place;

	TAILQ_FOREACH(place, &entrances->places, entry)
	if (addr_eq(&place->addr, addr))
		break;
	return place;
}

static struct place *
new_place(struct entrances *entrances, const struct listen_config *listen)
{
	struct place *place = mem_alloc(sizeof(*place));

	*place = (struct place){.owner = entrances,
	    .is.id = ++entrances->last_id,
	    .next = listen,
	    .addr = listen->addr,
	    .options = listen->file_options};
	place->fd_count = is_unix(place) ? 1 : entrances->workers;
	place->fds = mem_alloc(place->fd_count * sizeof(*place->fds));
	return place;
}

/* Some place of ours has the port, under another address, and is to go. */
static bool
leaves_port(const struct entrances *entrances, const struct addr *addr)
{
	const struct place *place;

	TAILQ_FOREACH(place, &entrances->places, entry)
	if (place->next == NULL && !is_unix(place) &&
	    addr_port(&place->addr) == addr_port(addr))
		return true;
	return false;
}

static bool
bind_place(struct place *place)
{
	const struct listen_config *listen = place->next;

	if (listener_bind_all(
		listen, place->fds, place->fd_count, &place->file))
		return true;
	return errno == EADDRINUSE && !is_unix(place) &&
	       leaves_port(place->owner, &place->addr) &&
	       listener_bind_beside(listen, place->fds, place->fd_count);
}

static bool
refuse(const struct listen_config *listen)
{
	log_error("%s:%u: cannot listen on %.*s: %s", listen->file,
	    listen->line, SLICE_ARG(listen->text),
	    listener_error(listen, errno));
	return false;
}

static bool
open_place(struct entrances *entrances, const struct listen_config *listen)
{
	struct place *place = new_place(entrances, listen);

	if (bind_place(place)) {
		TAILQ_INSERT_TAIL(&entrances->places, place, entry);
		return true;
	}
	(void)refuse(listen);
	free(place->fds);
	free(place);
	return false;
}

static bool
same_options(const struct listen_file *a, const struct listen_file *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid;
}

static bool
change_file(struct place *place)
{
	const struct listen_config *listen = place->next;

	if (listen == NULL || place->state == NEW || !is_unix(place) ||
	    same_options(&place->options, &listen->file_options))
		return true;
	place->changed = true;
	place->before = place->options;
	place->options = listen->file_options;
	return listener_change(listen, &place->file, &place->before) ||
	       refuse(listen);
}

static void
change_back(struct place *place)
{
	struct listen_config listen = {
	    .addr = place->addr, .file_options = place->before};

	if (!place->changed)
		return;
	(void)listener_change(&listen, &place->file, &place->options);
	place->options = place->before;
	place->changed = false;
}

static unsigned
open_missing(struct entrances *entrances, const struct config *config)
{
	unsigned errors = 0;

	for (unsigned i = 0; i < config->listen_count; i++)
		if (find(entrances, &config->listens[i]->addr) == NULL &&
		    !open_place(entrances, config->listens[i]))
			errors++;
	return errors;
}

unsigned
entrances_prepare(struct entrances *entrances, const struct config *config)
{
	struct place *place;
	unsigned errors;

	for (unsigned i = 0; i < config->listen_count; i++) {
		place = find(entrances, &config->listens[i]->addr);
		if (place != NULL)
			place->next = config->listens[i];
	}
	errors = open_missing(entrances, config);
	TAILQ_FOREACH(place, &entrances->places, entry)
	if (errors == 0 && !change_file(place))
		errors++;
	if (errors > 0)
		entrances_undo(entrances);
	return errors;
}

void
entrances_undo(struct entrances *entrances)
{
	struct place *place = TAILQ_FIRST(&entrances->places), *next;

	for (; place != NULL; place = next) {
		next = TAILQ_NEXT(place, entry);
		change_back(place);
		place->next = NULL;
		if (place->state == NEW)
			close_place(place);
	}
}

static void
begin(struct place *place)
{
	struct listener_owner owner = {on_accept, place, on_paused};

	place->state = OPEN;
	log_info("listening address=%.*s", SLICE_ARG(place->next->text));
	if (!is_unix(place))
		return;
	place->listener =
	    listener_new(place->owner->loop, place->fds[0], owner);
	place->fds[0] = -1;
}

struct entrances_change
entrances_commit(struct entrances *entrances)
{
	struct place *place = TAILQ_FIRST(&entrances->places), *next;
	struct entrances_change change = {0, 0, 0};

	for (; place != NULL; place = next) {
		next = TAILQ_NEXT(place, entry);
		if (place->next == NULL) {
			change.closed++;
			stop_accepting(place);
			close_place(place);
			continue;
		}
		if (place->state == NEW) {
			change.opened++;
			begin(place);
		} else {
			change.kept++;
		}
		place->is.listen = place->next;
		place->next = NULL;
		place->changed = false;
	}
	return change;
}

unsigned
entrances_list(
    struct entrances *entrances, unsigned worker, struct entrance *out)
{
	struct place *place;
	unsigned count = 0;

	TAILQ_FOREACH(place, &entrances->places, entry)
	{
		out[count] = place->is;
		out[count].fd = -1;
		if (!is_unix(place)) {
			out[count].fd = place->fds[worker];
			place->fds[worker] = -1;
		}
		count++;
	}
	return count;
}

unsigned long long
entrances_pauses(const struct entrances *entrances)
{
	return entrances->pauses;
}
