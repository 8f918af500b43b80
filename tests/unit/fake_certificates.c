/* SPDX-License-Identifier: ISC */
/* fake_certificates: made by openssl(1), as an operator would. */
#include "fake_certificates.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static char folder[] = "/tmp/certificates.XXXXXX";

static void
run(const char *verb)
{
	char command[256];

	snprintf(command, sizeof(command), "%s %s", verb, folder);
	if (system(command) != 0) {
		fprintf(stderr, "failed: %s\n", command);
		exit(EXIT_FAILURE);
	}
}

void
fake_certificates_make(void)
{
	if (mkdtemp(folder) == NULL)
		exit(EXIT_FAILURE);
	run("tests/certificates");
}

void
fake_certificates_remove(void)
{
	run("rm -r");
}

const char *
fake_certificate(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static void
on_note(void *arg, enum tls_file file, bool is_error, const char *text)
{
	struct fake_notes *notes = arg;

	notes->errors += is_error;
	notes->warnings += !is_error;
	notes->file = file;
	snprintf(notes->text, sizeof(notes->text), "%s", text);
}

void
fake_notes_init(struct fake_notes *notes)
{
	*notes = (struct fake_notes){
	    .notes = {.note = on_note, .arg = notes, .now = time(NULL)}};
}

static struct tls_pair *
read_pair(const char *name, struct fake_notes *notes)
{
	char pem[64], key[64];
	struct tls_pair *pair;

	snprintf(pem, sizeof(pem), "%s.pem", name);
	snprintf(key, sizeof(key), "%s.key", name);
	pair = tls_pair_read(
	    fake_certificate(pem), fake_certificate(key), &notes->notes);
	ck_assert_ptr_nonnull(pair);
	return pair;
}

struct tls_site *
fake_tls_site(const char *name, const char *second, struct tls_tickets *tickets)
{
	struct fake_notes notes;
	struct tls_pair *pairs[2];
	struct tls_site_setup setup = {.name = slice_of(name),
	    .pairs = pairs,
	    .pair_count = second != NULL ? 2 : 1,
	    .tickets = tickets};
	struct tls_site *site;

	fake_notes_init(&notes);
	pairs[0] = read_pair(name, &notes);
	if (second != NULL)
		pairs[1] = read_pair(second, &notes);
	site = tls_site_new(&setup, &notes.notes);
	ck_assert_ptr_nonnull(site);
	for (unsigned i = 0; i < setup.pair_count; i++)
		tls_pair_free(pairs[i]);
	return site;
}

struct tls_door *
fake_tls_door(const char *name)
{
	struct tls_tickets *tickets = tls_tickets_new(TLS_TICKETS_PERIOD_MS);
	struct tls_site *site = fake_tls_site(name, NULL, tickets);
	struct tls_door *door = tls_door_new(site);

	tls_site_unref(site);
	tls_tickets_unref(tickets);
	return door;
}

struct tls_outlook *
fake_tls_outlook(void)
{
	struct fake_notes notes;
	struct tls_outlook_setup setup = {.verify = true};
	struct tls_outlook *outlook;

	fake_notes_init(&notes);
	setup.authorities =
	    tls_authorities_read(fake_certificate("ca.pem"), &notes.notes);
	outlook = tls_outlook_new(&setup, &notes.notes);
	ck_assert_ptr_nonnull(outlook);
	tls_authorities_free(setup.authorities);
	return outlook;
}
