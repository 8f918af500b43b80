/* SPDX-License-Identifier: ISC */
/* reread: one thread, one letter home. */
#include "reread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

/* Who comes second frees: the thread that is through, or the loop's that waits
 * no more. */
enum state { READING, READ, ABANDONED };

struct reread {
	struct mail mail;
	struct loop *loop;
	reread_fn *done;
	void *arg;
	char *path;
	struct tls_tickets *tickets; /* one reference, or NULL */
	struct config *config;
	struct config_report report;
	pthread_t thread;
	atomic_int state;
};

static void
free_reread(struct reread *reread)
{
	config_report_done(&reread->report);
	free(reread->path);
	tls_tickets_unref(reread->tickets);
	free(reread);
}

static void
on_read(struct mail *mail)
{
	struct reread *reread = (struct reread *)mail;

	if (reread->done != NULL) {
		pthread_join(reread->thread, NULL);
		reread->done(reread->arg, reread->config, &reread->report);
	} else {
		config_unref(reread->config);
	}
	free_reread(reread);
}

static void *
run(void *arg)
{
	struct reread *reread = arg;
	const struct config_options options = {
	    .resolve = true, .certificates = true, .tickets = reread->tickets};
	int reading = READING;

	reread->config = config_read(reread->path, &options, &reread->report);
	if (atomic_compare_exchange_strong(&reread->state, &reading, READ)) {
		loop_post(reread->loop, &reread->mail);
		return NULL;
	}
	config_unref(reread->config);
	free_reread(reread);
	return NULL;
}

/* Signals are the house's. */
static int
start_thread(struct reread *reread)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&reread->thread, NULL, run, reread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

struct reread *
reread_start(struct loop *loop, const char *path, struct tls_tickets *tickets,
    reread_fn *done, void *arg)
{
	struct reread *reread = mem_alloc(sizeof(*reread));
	int error;

	reread->mail.fn = on_read;
	reread->loop = loop;
	reread->done = done;
	reread->arg = arg;
	reread->path = mem_strdup(path);
	if (tickets != NULL)
		reread->tickets = tls_tickets_ref(tickets);
	error = start_thread(reread);
	if (error == 0)
		return reread;
	free_reread(reread);
	errno = error;
	return NULL;
}

/* A thread that has read only has its mail to post: it is waited for, so that
 * the loop may go. */
void
reread_abandon(struct reread *reread)
{
	int reading = READING;
	pthread_t thread;

	if (reread == NULL)
		return;
	thread = reread->thread; /* the rest may go at once */
	if (atomic_compare_exchange_strong(
		&reread->state, &reading, ABANDONED)) {
		pthread_detach(thread);
		return;
	}
	pthread_join(thread, NULL);
	reread->done = NULL;
}
