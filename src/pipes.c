/* SPDX-License-Identifier: ISC */
/* pipes: a worker's pipes. */
#include "pipes.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "mem.h"

/* Room for 64 pieces, of whatever size the network cut them to. */
#define PIPE_SIZE (256 * 1024)

void
pipes_init(struct pipes *pipes)
{
	*pipes = (struct pipes){.idle_count = 0};
	SLIST_INIT(&pipes->idle);
}

static void
close_pipe(struct pipe *pipe)
{
	close(pipe->to);
	close(pipe->from);
	free(pipe);
}

static struct pipe *
open_pipe(void)
{
	struct pipe *pipe;
	int ends[2];

	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0)
		return NULL;
	/* Refused past the user's share: the pipe is just smaller. */
	(void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE);
	pipe = mem_alloc(sizeof(*pipe));
	pipe->from = ends[0];
	pipe->to = ends[1];
	return pipe;
}

struct pipe *
pipes_get(struct pipes *pipes)
{
	struct pipe *pipe = SLIST_FIRST(&pipes->idle);

	if (pipes->used >= PIPES_USED_MAX)
		return NULL;
	if (pipe != NULL) {
		SLIST_REMOVE_HEAD(&pipes->idle, entry);
		pipes->idle_count--;
	} else {
		pipe = open_pipe();
	}
	if (pipe != NULL)
		pipes->used++;
	return pipe;
}

void
pipes_put(struct pipes *pipes, struct pipe *pipe)
{
	if (pipe == NULL)
		return;
	assert(pipes->used > 0);
	pipes->used--;
	if (pipe->held > 0 || pipes->idle_count >= PIPES_IDLE_MAX) {
		close_pipe(pipe);
		return;
	}
	SLIST_INSERT_HEAD(&pipes->idle, pipe, entry);
	pipes->idle_count++;
}

void
pipes_done(struct pipes *pipes)
{
	struct pipe *pipe;

	assert(pipes->used == 0);
	while ((pipe = SLIST_FIRST(&pipes->idle)) != NULL) {
		SLIST_REMOVE_HEAD(&pipes->idle, entry);
		close_pipe(pipe);
	}
}
