/* SPDX-License-Identifier: ISC */
/* Certificates that are read, and connections over socket pairs: who is shown
 * to whom, what is resumed, and how a stream ends. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_certificates.h"
#include "fake_clock.h"
#include "tls.h"

#define TURNS 100

/* Both ends. */
struct pair {
	struct tls *server, *client;
	int fds[2];
};

static void
open_pair(struct pair *pair, struct tls_door *door,
    const struct tls_target *target, struct tls_return *back)
{
	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair->fds), 0);
	pair->server = tls_accept(door, pair->fds[0]);
	pair->client = tls_connect(target, pair->fds[1], back);
}

static void
close_pair(struct pair *pair)
{
	tls_free(pair->server);
	tls_free(pair->client);
	close(pair->fds[0]);
	close(pair->fds[1]);
}

/* What both come to say: 1 and 1 when hands are shaken. */
static void
shake(struct pair *pair, int *server, int *client)
{
	*server = *client = TLS_WAITS_READ;
	for (int i = 0; i < TURNS && (*server == TLS_WAITS_READ ||
					 *client == TLS_WAITS_READ);
	     i++) {
		if (*client == TLS_WAITS_READ)
			*client = tls_shake(pair->client);
		if (*server == TLS_WAITS_READ)
			*server = tls_shake(pair->server);
		if (*client == TLS_FAILED && *server == TLS_WAITS_READ)
			shutdown(pair->fds[1], SHUT_WR);
	}
}

static void
expect_shaken(struct pair *pair)
{
	int server, client;

	shake(pair, &server, &client);
	ck_assert_int_eq(client, 1);
	ck_assert_int_eq(server, 1);
	ck_assert(tls_is_open(pair->server) && tls_is_open(pair->client));
}

static ssize_t
say(struct tls *tls, const char *text)
{
	struct iovec iov = {(void *)text, strlen(text)};

	return tls_write(tls, &iov, 1);
}

static void
expect_heard(struct tls *tls, const char *text)
{
	char got[64];

	ck_assert_int_eq(tls_read(tls, got, sizeof(got)), (int)strlen(text));
	ck_assert_mem_eq(got, text, strlen(text));
}

/* A door, and how to come to it. */
struct house {
	struct tls_door *door;
	struct tls_outlook *outlook;
	struct tls_target target;
};

static void
open_house(struct house *house, const char *certificate, const char *name)
{
	house->door = fake_tls_door(certificate);
	house->outlook = fake_tls_outlook();
	house->target = tls_target_of(house->outlook, name);
}

static void
close_house(struct house *house)
{
	tls_door_unref(house->door);
	tls_outlook_unref(house->outlook);
}

/* ---- files ---- */

START_TEST(a_pair_that_is_good_says_nothing)
{
	static const char *const names[] = {"local", "a-rsa", "a-ec"};
	struct fake_notes notes;
	struct tls_pair *pair;
	char pem[32], key[32];

	snprintf(pem, sizeof(pem), "%s.pem", names[_i]);
	snprintf(key, sizeof(key), "%s.key", names[_i]);
	fake_notes_init(&notes);
	pair = tls_pair_read(
	    fake_certificate(pem), fake_certificate(key), &notes.notes);
	ck_assert_ptr_nonnull(pair);
	ck_assert_str_eq(notes.text, "");
	tls_pair_free(pair);
}
END_TEST

static const struct {
	const char *certificate, *key;
	enum tls_file file;
	const char *text;
} bad[] = {
    {"none.pem", "local.key", TLS_FILE_CERTIFICATE,
	"none.pem can't be read: No such file or directory"},
    {".", "local.key", TLS_FILE_CERTIFICATE, "can't be read: Is a directory"},
    {"local.key", "local.key", TLS_FILE_CERTIFICATE, "no certificate in "},
    {"torn.pem", "local.key", TLS_FILE_CERTIFICATE, "is damaged: "},
    {"local.pem", "none.key", TLS_FILE_KEY, "none.key can't be read: "},
    {"local.pem", "local.pem", TLS_FILE_KEY, "no private key in "},
    {"local.pem", "b.key", TLS_FILE_KEY, "is not that of the certificate "},
    {"local.pem", "a-rsa.key", TLS_FILE_KEY, "is not that of the certificate "},
    {"weak.pem", "weak.key", TLS_FILE_CERTIFICATE,
	"weak.pem can't be used: ee key too small"},
    {"local.pem", "locked.key", TLS_FILE_KEY, "is encrypted, and nobody "},
};

START_TEST(a_pair_that_is_bad_is_refused_in_words)
{
	struct fake_notes notes;

	fake_notes_init(&notes);
	ck_assert_ptr_null(tls_pair_read(fake_certificate(bad[_i].certificate),
	    fake_certificate(bad[_i].key), &notes.notes));
	ck_assert_uint_eq(notes.errors, 1);
	ck_assert_int_eq(notes.file, bad[_i].file);
	ck_assert_msg(
	    strstr(notes.text, bad[_i].text) != NULL, "%s", notes.text);
}
END_TEST

START_TEST(a_pair_outside_its_time_is_suspected)
{
	static const struct {
		const char *pem, *key, *text;
		time_t later;
	} rows[] = {
	    {"old.pem", "old.key", "has expired on 2021-01-01", 0},
	    {"young.pem", "young.key", "is not valid before 2099-01-01", 0},
	    {"local.pem", "local.key", "expires soon, on 20", 80 * 86400},
	    {"local.pem", "local.key", "has expired on 20", 100 * 86400},
	};
	struct fake_notes notes;
	struct tls_pair *pair;

	fake_notes_init(&notes);
	notes.notes.now += rows[_i].later;
	pair = tls_pair_read(fake_certificate(rows[_i].pem),
	    fake_certificate(rows[_i].key), &notes.notes);
	ck_assert_ptr_nonnull(pair);
	ck_assert_uint_eq(notes.warnings, 1);
	ck_assert_msg(
	    strstr(notes.text, rows[_i].text) != NULL, "%s", notes.text);
	tls_pair_free(pair);
}
END_TEST

START_TEST(a_key_that_everybody_may_read_is_suspected)
{
	struct fake_notes notes;
	struct tls_pair *pair;

	fake_notes_init(&notes);
	chmod(fake_certificate("local.key"), 0644);
	pair = tls_pair_read(fake_certificate("local.pem"),
	    fake_certificate("local.key"), &notes.notes);
	chmod(fake_certificate("local.key"), 0600);
	ck_assert_ptr_nonnull(pair);
	ck_assert_uint_eq(notes.warnings, 1);
	ck_assert_ptr_nonnull(strstr(notes.text, "(mode 0644)"));
	tls_pair_free(pair);
}
END_TEST

START_TEST(hosts_are_covered_as_browsers_see_it)
{
	static const struct {
		const char *host;
		bool covered;
	} rows[] = {{"a.example.org", true}, {"A.Example.ORG", true},
	    {"x.a.example.org", true}, {"*.a.example.org", true},
	    {"x.y.a.example.org", false}, {"b.example.org", false},
	    {"*.example.org", false}, {"", false}};
	struct tls_tickets *tickets = tls_tickets_new(1000);
	struct tls_site *site = fake_tls_site("a-ec", NULL, tickets);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(tls_site_covers(site, slice_of(rows[i].host)) ==
				  rows[i].covered,
		    "%s", rows[i].host);
	tls_site_unref(site);
	tls_tickets_unref(tickets);
}
END_TEST

/* ---- handshakes ---- */

START_TEST(bytes_go_both_ways)
{
	struct house house;
	struct pair pair;
	char byte;

	open_house(&house, "local", "localhost");
	open_pair(&pair, house.door, &house.target, NULL);
	ck_assert_int_eq(tls_read(pair.server, &byte, 1), TLS_WAITS_READ);
	ck_assert(!tls_has_more(pair.server));
	expect_shaken(&pair);
	ck_assert_int_eq(say(pair.client, "hello"), 5);
	expect_heard(pair.server, "hello");
	ck_assert_int_eq(say(pair.server, "you"), 3);
	expect_heard(pair.client, "you");
	ck_assert_int_eq(tls_read(pair.client, &byte, 1), TLS_WAITS_READ);
	ck_assert(slice_eq(tls_name(pair.server), SLICE("localhost")));
	ck_assert_ptr_null(tls_subject(pair.server).at);
	close_pair(&pair);
	close_house(&house);
}
END_TEST

/* Pieces are gathered, records filled, and all of it comes in one read. */
START_TEST(a_read_goes_on_from_record_to_record)
{
	static char sent[40000], got[sizeof(sent)];
	struct iovec iov[] = {{sent, 100}, {sent + 100, 20}, {sent + 120, 0},
	    {sent + 120, sizeof(sent) - 120}};
	struct house house;
	struct pair pair;

	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (char)(i * 7);
	open_house(&house, "local", "localhost");
	open_pair(&pair, house.door, &house.target, NULL);
	expect_shaken(&pair);
	ck_assert_int_eq(tls_write(pair.server, iov, 4), (ssize_t)sizeof(sent));
	ck_assert_int_eq(tls_read(pair.client, got, 7), 7);
	ck_assert(tls_has_more(pair.client));
	ck_assert_int_eq(tls_read(pair.client, got + 7, sizeof(got)),
	    (ssize_t)sizeof(sent) - 7);
	ck_assert(!tls_has_more(pair.client));
	ck_assert_mem_eq(sent, got, sizeof(sent));
	close_pair(&pair);
	close_house(&house);
}
END_TEST

/* Until the socket is full, and on from there, from wherever the bytes lie. */
START_TEST(a_write_that_blocks_goes_on)
{
	static char sent[1024 * 1024], moved[sizeof(sent)], got[sizeof(sent)];
	struct house house;
	struct pair pair;
	size_t out = 0, in = 0;
	unsigned blocks = 0;
	ssize_t n;

	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = moved[i] = (char)(i % 251);
	open_house(&house, "local", "localhost");
	open_pair(&pair, house.door, &house.target, NULL);
	expect_shaken(&pair);
	while (in < sizeof(sent)) {
		struct iovec iov = {
		    (blocks % 2 == 0 ? sent : moved) + out, sizeof(sent) - out};

		n = tls_write(pair.server, &iov, 1);
		ck_assert_int_ge(n, 0);
		out += (size_t)n;
		blocks += out < sizeof(sent);
		n = tls_read(pair.client, got + in, sizeof(got) - in);
		if (n != TLS_WAITS_READ) {
			ck_assert_int_gt(n, 0);
			in += (size_t)n;
		}
	}
	ck_assert_uint_gt(blocks, 0);
	ck_assert_mem_eq(sent, got, sizeof(sent));
	close_pair(&pair);
	close_house(&house);
}
END_TEST

START_TEST(a_farewell_is_an_end_and_the_other_way_goes_on)
{
	struct house house;
	struct pair pair;
	char byte;

	open_house(&house, "local", "localhost");
	open_pair(&pair, house.door, &house.target, NULL);
	expect_shaken(&pair);
	ck_assert_int_eq(say(pair.client, "last"), 4);
	ck_assert_int_eq(tls_farewell(pair.client), 1);
	ck_assert_int_eq(tls_farewell(pair.client), 1);
	expect_heard(pair.server, "last");
	ck_assert_int_eq(tls_read(pair.server, &byte, 1), 0);
	ck_assert_int_eq(tls_read(pair.server, &byte, 1), 0);
	ck_assert(!tls_has_more(pair.server));
	ck_assert_int_eq(say(pair.server, "answer"), 6);
	expect_heard(pair.client, "answer");
	close_pair(&pair);
	close_house(&house);
}
END_TEST

START_TEST(a_fin_alone_is_a_cut)
{
	struct house house;
	struct pair pair;
	char byte;

	open_house(&house, "local", "localhost");
	open_pair(&pair, house.door, &house.target, NULL);
	expect_shaken(&pair);
	ck_assert_int_eq(say(pair.client, "torn"), 4);
	shutdown(pair.fds[1], SHUT_WR);
	expect_heard(pair.server, "torn");
	ck_assert_int_eq(tls_read(pair.server, &byte, 1), TLS_CUT);
	ck_assert_int_eq(tls_read(pair.server, &byte, 1), TLS_CUT);
	close_pair(&pair);
	close_house(&house);
}
END_TEST

START_TEST(bytes_that_are_no_record_fail)
{
	struct house house;
	struct pair pair;
	char byte;

	open_house(&house, "local", "localhost");
	open_pair(&pair, house.door, &house.target, NULL);
	expect_shaken(&pair);
	ck_assert_int_eq(write(pair.fds[1], "GET / HTTP/1.1\r\n\r\n", 18), 18);
	ck_assert_int_eq(tls_read(pair.server, &byte, 1), TLS_FAILED);
	ck_assert_int_eq(tls_read(pair.server, &byte, 1), TLS_FAILED);
	ck_assert_int_eq(say(pair.server, "no"), TLS_FAILED);
	ck_assert_int_eq(tls_farewell(pair.server), TLS_FAILED);
	close_pair(&pair);
	close_house(&house);
}
END_TEST

START_TEST(plain_http_is_seen_and_left_in_the_socket)
{
	static const char *const starts[] = {
	    "GET / HT", "PROPFIND", "brew / H"};
	struct house house;
	struct pair pair;
	char bytes[8];

	open_house(&house, "local", "localhost");
	open_pair(&pair, house.door, &house.target, NULL);
	ck_assert_int_eq(write(pair.fds[1], starts[_i], 8), 8);
	ck_assert_int_eq(tls_read(pair.server, bytes, 8), TLS_PLAIN);
	ck_assert_int_eq(read(pair.fds[0], bytes, 8), 8);
	close_pair(&pair);
	close_house(&house);
}
END_TEST

START_TEST(who_only_knocks_has_not_failed)
{
	struct house house;
	struct pair pair;
	char byte;

	open_house(&house, "local", "localhost");
	open_pair(&pair, house.door, &house.target, NULL);
	shutdown(pair.fds[1], SHUT_WR);
	ck_assert_int_eq(tls_read(pair.server, &byte, 1), 0);
	close_pair(&pair);
	close_house(&house);
}
END_TEST

/* ---- whom a client believes ---- */

static const struct {
	const char *certificate, *name, *words; /* NULL: believed */
} believed[] = {
    {"local", "localhost", NULL},
    {"local", "127.0.0.1", NULL},
    {"local", "127.0.0.2", "IP address mismatch"},
    {"local", "a.example.org", "hostname mismatch"},
    {"a-rsa", "a.example.org", NULL},
    {"a-ec", "deep.a.example.org", NULL},
    {"other-local", "localhost", "unable to get local issuer certificate"},
    {"old", "localhost", "certificate has expired"},
    {"young", "localhost", "certificate is not yet valid"},
};

START_TEST(a_server_is_believed_or_not)
{
	struct house house;
	struct pair pair;
	int server, client;

	open_house(&house, believed[_i].certificate, believed[_i].name);
	open_pair(&pair, house.door, &house.target, NULL);
	shake(&pair, &server, &client);
	if (believed[_i].words == NULL) {
		ck_assert_int_eq(client, 1);
		ck_assert_int_eq(server, 1);
	} else {
		ck_assert_int_eq(client, TLS_FAILED);
		ck_assert_int_eq(server, TLS_FAILED);
		ck_assert_msg(strcasestr(tls_words(pair.client),
				  believed[_i].words) != NULL,
		    "%s", tls_words(pair.client));
	}
	close_pair(&pair);
	close_house(&house);
}
END_TEST

START_TEST(without_verification_anybody_is_believed)
{
	struct tls_door *door = fake_tls_door("old");
	struct tls_outlook_setup setup = {.verify = false};
	struct fake_notes notes;
	struct tls_outlook *outlook;
	struct tls_target target;
	struct pair pair;

	fake_notes_init(&notes);
	outlook = tls_outlook_new(&setup, &notes.notes);
	for (int i = 0; i < 2; i++) {
		target = tls_target_of(
		    outlook, i == 0 ? "else.example.org" : "192.0.2.1");
		open_pair(&pair, door, &target, NULL);
		expect_shaken(&pair);
		close_pair(&pair);
	}
	tls_outlook_unref(outlook);
	tls_door_unref(door);
}
END_TEST

START_TEST(targets_that_are_alike_have_one_number)
{
	struct tls_outlook *one = fake_tls_outlook(),
			   *same = fake_tls_outlook(), *other;
	struct tls_outlook_setup setup = {.verify = true};
	struct fake_notes notes;
	uint64_t id = tls_target_of(one, "localhost").id;

	fake_notes_init(&notes);
	other = tls_outlook_new(&setup, &notes.notes);
	ck_assert_uint_ne(id, 0);
	ck_assert_uint_eq(id, tls_target_of(same, "localhost").id);
	ck_assert_uint_ne(id, tls_target_of(one, "b.example.org").id);
	ck_assert_uint_ne(id, tls_target_of(other, "localhost").id);
	tls_outlook_unref(one);
	tls_outlook_unref(same);
	tls_outlook_unref(other);
}
END_TEST

/* ---- names ---- */

/* A door of two sites; the first answers for whom nobody else does. */
static struct tls_door *
open_street(struct tls_tickets *tickets)
{
	struct tls_site *a = fake_tls_site("a-rsa", "a-ec", tickets);
	struct tls_site *b = fake_tls_site("b", "local", tickets);
	struct tls_door *door = tls_door_new(a);

	tls_door_add(door, SLICE("a.example.org"), a);
	tls_door_add(door, SLICE("b.example.org"), b);
	tls_door_add(door, SLICE("localhost"), b);
	tls_site_unref(a);
	tls_site_unref(b);
	return door;
}

START_TEST(the_name_chooses_site_and_certificate)
{
	static const struct {
		const char *asked;
		bool good;
	} rows[] = {{"a.example.org", true}, {"x.a.example.org", true},
	    {"b.example.org", true}, {"localhost", true},
	    {"c.example.org", false}, {"127.0.0.1", false}};
	struct tls_tickets *tickets = tls_tickets_new(1000);
	struct tls_door *door = open_street(tickets);
	struct tls_outlook *outlook = fake_tls_outlook();
	struct tls_target target = tls_target_of(outlook, rows[_i].asked);
	struct pair pair;
	int server, client;

	open_pair(&pair, door, &target, NULL);
	tls_door_unref(door); /* connections keep it */
	shake(&pair, &server, &client);
	ck_assert_int_eq(client, rows[_i].good ? 1 : TLS_FAILED);
	close_pair(&pair);
	tls_outlook_unref(outlook);
	tls_tickets_unref(tickets);
}
END_TEST

/* ---- sessions ---- */

struct visit {
	struct tls_door *door;
	struct tls_target target;
	struct tls_return back;
};

/* A connection that says something, so that tickets have come. */
static bool
visit_again(struct visit *visit)
{
	struct pair pair;
	bool resumed;

	open_pair(&pair, visit->door, &visit->target, &visit->back);
	expect_shaken(&pair);
	ck_assert_int_eq(say(pair.server, "x"), 1);
	expect_heard(pair.client, "x");
	ck_assert_int_eq(say(pair.client, "y"), 1);
	expect_heard(pair.server, "y");
	resumed = tls_is_resumed(pair.server);
	ck_assert(resumed == tls_is_resumed(pair.client));
	close_pair(&pair);
	return resumed;
}

START_TEST(sessions_are_resumed_for_two_periods_of_their_key)
{
	const uint32_t period = 600 * 1000;
	struct tls_tickets *tickets = tls_tickets_new(period);
	struct tls_outlook *outlook = fake_tls_outlook();
	struct visit visit = {.door = open_street(tickets),
	    .target = tls_target_of(outlook, "b.example.org")};
	struct tls_return old;

	ck_assert(!visit_again(&visit));
	ck_assert(visit_again(&visit));
	old = visit.back;
	visit.back.session = NULL;
	fake_clock_advance(period + 1000); /* the next key makes tickets */
	ck_assert(!visit_again(&visit));
	tls_return_forget(&visit.back);
	visit.back = old;
	ck_assert(visit_again(&visit));
	ck_assert(visit_again(&visit));
	fake_clock_advance(2 * period + 1000);
	ck_assert(!visit_again(&visit));
	ck_assert(visit_again(&visit));
	tls_return_forget(&visit.back);
	tls_door_unref(visit.door);
	tls_outlook_unref(outlook);
	tls_tickets_unref(tickets);
}
END_TEST

/* As a reload makes them; and without the keys of before. */
START_TEST(sessions_outlive_a_door_that_is_made_anew)
{
	struct tls_tickets *tickets = tls_tickets_new(1000 * 1000);
	struct tls_tickets *other = tls_tickets_new(1000 * 1000);
	struct tls_outlook *outlook = fake_tls_outlook();
	struct visit visit = {.door = open_street(tickets),
	    .target = tls_target_of(outlook, "b.example.org")};

	ck_assert(!visit_again(&visit));
	tls_door_unref(visit.door);
	visit.door = open_street(tickets);
	ck_assert(visit_again(&visit));
	tls_door_unref(visit.door);
	visit.door = open_street(other);
	ck_assert(!visit_again(&visit));
	tls_return_forget(&visit.back);
	tls_door_unref(visit.door);
	tls_outlook_unref(outlook);
	tls_tickets_unref(tickets);
	tls_tickets_unref(other);
}
END_TEST

/* Each site's sessions are its own: what it demands was not shown elsewhere. */
START_TEST(a_session_is_not_resumed_at_another_site)
{
	struct tls_tickets *tickets = tls_tickets_new(1000 * 1000);
	struct tls_outlook *outlook = fake_tls_outlook();
	struct visit visit = {.door = open_street(tickets),
	    .target = tls_target_of(outlook, "b.example.org")};

	ck_assert(!visit_again(&visit));
	visit.target = tls_target_of(outlook, "a.example.org");
	ck_assert(!visit_again(&visit));
	tls_return_forget(&visit.back);
	tls_door_unref(visit.door);
	tls_outlook_unref(outlook);
	tls_tickets_unref(tickets);
}
END_TEST

/* ---- certificates of clients ---- */

static struct tls_door *
open_club(enum tls_clients clients)
{
	struct tls_tickets *tickets = tls_tickets_new(1000);
	struct fake_notes notes;
	struct tls_pair *pair;
	struct tls_site_setup setup = {.name = SLICE("club"),
	    .pairs = &pair,
	    .pair_count = 1,
	    .clients = clients,
	    .tickets = tickets};
	struct tls_site *site;
	struct tls_door *door;

	fake_notes_init(&notes);
	pair = tls_pair_read(fake_certificate("local.pem"),
	    fake_certificate("local.key"), &notes.notes);
	setup.authorities =
	    tls_authorities_read(fake_certificate("ca.pem"), &notes.notes);
	site = tls_site_new(&setup, &notes.notes);
	door = tls_door_new(site);
	tls_site_unref(site);
	tls_authorities_free(setup.authorities);
	tls_pair_free(pair);
	tls_tickets_unref(tickets);
	return door;
}

static struct tls_outlook *
outlook_with(const char *pem, const char *key)
{
	struct fake_notes notes;
	struct tls_pair *pair = NULL;
	struct tls_outlook_setup setup = {.verify = false};
	struct tls_outlook *outlook;

	fake_notes_init(&notes);
	if (pem != NULL)
		setup.pair = pair = tls_pair_read(
		    fake_certificate(pem), fake_certificate(key), &notes.notes);
	outlook = tls_outlook_new(&setup, &notes.notes);
	tls_pair_free(pair);
	return outlook;
}

static const struct {
	enum tls_clients clients;
	const char *pem, *key;
	bool good;
	const char *subject;
} shown[] = {
    {TLS_CLIENTS_OFF, "client.pem", "client.key", true, NULL},
    {TLS_CLIENTS_OPTIONAL, NULL, NULL, true, NULL},
    {TLS_CLIENTS_OPTIONAL, "client.pem", "client.key", true,
	"CN=Ann \\C3\\84. Client,O=Clients"},
    {TLS_CLIENTS_OPTIONAL, "stranger.pem", "stranger.key", false, NULL},
    {TLS_CLIENTS_REQUIRED, NULL, NULL, false, NULL},
    {TLS_CLIENTS_REQUIRED, "client.pem", "client.key", true,
	"CN=Ann \\C3\\84. Client,O=Clients"},
    {TLS_CLIENTS_REQUIRED, "stranger.pem", "stranger.key", false, NULL},
    {TLS_CLIENTS_REQUIRED, "b.pem", "b.key", false, NULL}, /* a server's */
};

START_TEST(clients_show_what_is_demanded)
{
	struct tls_door *door = open_club(shown[_i].clients);
	struct tls_outlook *outlook =
	    outlook_with(shown[_i].pem, shown[_i].key);
	struct tls_target target = tls_target_of(outlook, "localhost");
	struct pair pair;
	int server, client;

	open_pair(&pair, door, &target, NULL);
	shake(&pair, &server, &client);
	ck_assert_int_eq(server, shown[_i].good ? 1 : TLS_FAILED);
	if (shown[_i].subject != NULL)
		ck_assert(slice_eq(
		    tls_subject(pair.server), slice_of(shown[_i].subject)));
	else if (shown[_i].good)
		ck_assert_ptr_null(tls_subject(pair.server).at);
	close_pair(&pair);
	tls_outlook_unref(outlook);
	tls_door_unref(door);
}
END_TEST

static void
write_torn(void)
{
	FILE *file = fopen(fake_certificate("torn.pem"), "w");

	fputs("-----BEGIN CERTIFICATE-----\nMIIB\n"
	      "-----END CERTIFICATE-----\n",
	    file);
	fclose(file);
}

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

int
main(void)
{
	Suite *suite = suite_create("tls");
	TCase *tcase = tcase_create("tls");
	SRunner *runner;
	int failed;

	fake_certificates_make();
	write_torn();
	tcase_add_loop_test(tcase, a_pair_that_is_good_says_nothing, 0, 3);
	tcase_add_loop_test(
	    tcase, a_pair_that_is_bad_is_refused_in_words, 0, ROWS(bad));
	tcase_add_loop_test(tcase, a_pair_outside_its_time_is_suspected, 0, 4);
	tcase_add_test(tcase, a_key_that_everybody_may_read_is_suspected);
	tcase_add_test(tcase, hosts_are_covered_as_browsers_see_it);
	tcase_add_test(tcase, bytes_go_both_ways);
	tcase_add_test(tcase, a_read_goes_on_from_record_to_record);
	tcase_add_test(tcase, a_write_that_blocks_goes_on);
	tcase_add_test(tcase, a_farewell_is_an_end_and_the_other_way_goes_on);
	tcase_add_test(tcase, a_fin_alone_is_a_cut);
	tcase_add_test(tcase, bytes_that_are_no_record_fail);
	tcase_add_loop_test(
	    tcase, plain_http_is_seen_and_left_in_the_socket, 0, 3);
	tcase_add_test(tcase, who_only_knocks_has_not_failed);
	tcase_add_loop_test(
	    tcase, a_server_is_believed_or_not, 0, ROWS(believed));
	tcase_add_test(tcase, without_verification_anybody_is_believed);
	tcase_add_test(tcase, targets_that_are_alike_have_one_number);
	tcase_add_loop_test(tcase, the_name_chooses_site_and_certificate, 0, 6);
	tcase_add_test(
	    tcase, sessions_are_resumed_for_two_periods_of_their_key);
	tcase_add_test(tcase, sessions_outlive_a_door_that_is_made_anew);
	tcase_add_test(tcase, a_session_is_not_resumed_at_another_site);
	tcase_add_loop_test(
	    tcase, clients_show_what_is_demanded, 0, ROWS(shown));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	fake_certificates_remove();
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
