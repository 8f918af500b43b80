/* SPDX-License-Identifier: ISC */
/* Addresses and networks: what is parsed, what is refused, what is printed. */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/un.h>

#include "addr.h"
#include "guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool
parse(bool (*parser)(struct slice, struct addr *), const char *text,
    struct addr *out)
{
	struct guarded g = guard_bytes(text, strlen(text));
	bool good = parser((struct slice){g.at, strlen(text)}, out);

	guard_free(&g);
	return good;
}

static struct addr
must_parse(const char *text)
{
	struct addr a;

	ck_assert_msg(parse(addr_parse, text, &a), "refused %s", text);
	return a;
}

static struct addr
must_parse_ip(const char *text)
{
	struct addr a;

	ck_assert_msg(parse(addr_parse_ip, text, &a), "refused %s", text);
	return a;
}

/* As accept() gives a peer on a dual stack socket. */
static struct addr
mapped_peer(const char *ipv4, uint16_t port)
{
	struct addr a = {.len = sizeof(struct sockaddr_in6)};
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a.sa;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	in6->sin6_addr.s6_addr[10] = in6->sin6_addr.s6_addr[11] = 0xff;
	ck_assert_int_eq(
	    inet_pton(AF_INET, ipv4, &in6->sin6_addr.s6_addr[12]), 1);
	return a;
}

/* An empty path is the peer of a unix socket: accept() gives no more. */
static struct addr
unix_addr(const char *path)
{
	struct addr a = {0};
	struct sockaddr_un *un = (struct sockaddr_un *)&a.sa;

	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, strlen(path));
	a.len =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	return a;
}

static void
check_text(const struct addr *a, const char *wanted, const char *wanted_ip)
{
	char text[ADDR_TEXT_MAX];

	ck_assert_uint_eq(addr_text(a, text), strlen(wanted));
	ck_assert_str_eq(text, wanted);
	ck_assert_uint_eq(addr_ip_text(a, text), strlen(wanted_ip));
	ck_assert_str_eq(text, wanted_ip);
}

START_TEST(addresses_with_port_are_parsed_and_printed)
{
	static const struct {
		const char *text, *printed, *ip;
		int family, port;
	} rows[] = {
	    {"127.0.0.1:80", "127.0.0.1:80", "127.0.0.1", AF_INET, 80},
	    {"0.0.0.0:0", "0.0.0.0:0", "0.0.0.0", AF_INET, 0},
	    {"255.255.255.255:65535", "255.255.255.255:65535",
		"255.255.255.255", AF_INET, 65535},
	    {"127.0.0.1:00080", "127.0.0.1:80", "127.0.0.1", AF_INET, 80},
	    {"[::1]:443", "[::1]:443", "::1", AF_INET6, 443},
	    {"[2001:DB8:0:0::1]:8080", "[2001:db8::1]:8080", "2001:db8::1",
		AF_INET6, 8080},
	    {"[::ffff:192.0.2.1]:80", "192.0.2.1:80", "192.0.2.1", AF_INET, 80},
	    {"*:80", "[::]:80", "::", AF_INET6, 80},
	    {":80", "[::]:80", "::", AF_INET6, 80},
	    {"[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
		"[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
		"1111:2222:3333:4444:5555:6666:7777:8888", AF_INET6, 65535},
	};
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		struct addr a = must_parse(rows[i].text);

		ck_assert_int_eq(a.sa.ss_family, rows[i].family);
		ck_assert_uint_eq(a.len, rows[i].family == AF_INET
					     ? sizeof(struct sockaddr_in)
					     : sizeof(struct sockaddr_in6));
		ck_assert_uint_eq(addr_port(&a), rows[i].port);
		check_text(&a, rows[i].printed, rows[i].ip);
	}
}
END_TEST

START_TEST(what_is_no_address_with_port_is_refused)
{
	static const char *const refuses[] = {"", ":", "*", "*:", "127.0.0.1",
	    "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:100000",
	    "127.0.0.1:000080", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1:8a",
	    "127.0.0.1: 80", " 127.0.0.1:80", "127.0.0.1 :80", "127.0.0:80",
	    "127.0.0.1.1:80", "127.0.0.256:80", "0127.0.0.1:80",
	    "0x7f.0.0.1:80", "localhost:80", "::1:80", "[::1]", "[::1",
	    "[::1:80", "::1]:80", "[::1]80", "[::1]:", "[]:80", "[:80", "[",
	    "[127.0.0.1]:80", "[*]:80", "[fe80::1%lo]:80", "[::g]:80",
	    "[1:2:3]:80", "127.0.0.1:80:80", "[::1]:80]:80",
	    "[::ffff:1111:2222:3333:4444:5555:6666:7777:8888]:1"};
	struct addr a;
	size_t i;

	for (i = 0; i < COUNT(refuses); i++)
		ck_assert_msg(
		    !parse(addr_parse, refuses[i], &a), "took %s", refuses[i]);
	ck_assert(!addr_parse(SLICE("127.0.0.1\0:80"), &a));
	ck_assert(!addr_parse(SLICE("[::1\0]:80"), &a));
	ck_assert(!addr_parse(SLICE_NONE, &a));
}
END_TEST

#define PATH_107                                                               \
	"/run/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

START_TEST(a_unix_socket_is_known_by_its_path)
{
	static const char *const accepts[] = {"unix:/run/app.sock", "unix:/a",
	    "unix:/", "unix:/run/a b\xff:80", "unix:" PATH_107};
	static const char *const refuses[] = {"unix:", "unix", "unix:run/a",
	    "unix:./a", "unix:@a", "unix: /a", "UNIX:/a", " unix:/a",
	    "unix://a" PATH_107, "unix:" PATH_107 "a", "unix:80"};
	struct addr a;
	size_t i;

	ck_assert_uint_eq(strlen(PATH_107), 107);
	for (i = 0; i < COUNT(accepts); i++) {
		const struct sockaddr_un *un = (struct sockaddr_un *)&a.sa;

		a = must_parse(accepts[i]);
		ck_assert_int_eq(a.sa.ss_family, AF_UNIX);
		ck_assert_str_eq(un->sun_path, accepts[i] + 5);
		ck_assert_uint_eq(
		    a.len, offsetof(struct sockaddr_un, sun_path) +
			       strlen(un->sun_path) + 1);
		ck_assert_uint_eq(addr_port(&a), 0);
		check_text(&a, accepts[i], "unix");
	}
	for (i = 0; i < COUNT(refuses); i++)
		ck_assert_msg(
		    !parse(addr_parse, refuses[i], &a), "took %s", refuses[i]);
	ck_assert(!addr_parse(SLICE("unix:/run/a\0b"), &a));
	ck_assert(!addr_parse(SLICE("unix:/run/a\0"), &a));
}
END_TEST

/* As the kernel gives addresses: with the NUL, without it, abstract. */
START_TEST(unix_sockets_differ_by_every_byte_of_their_path)
{
	struct addr a = must_parse("unix:/run/a"), b = unix_addr("/run/a");
	struct addr other = must_parse("unix:/run/ab"), peer = unix_addr("");
	struct addr x = {.len = offsetof(struct sockaddr_un, sun_path) + 3};
	struct addr y;
	struct sockaddr_un *un = (struct sockaddr_un *)&x.sa;

	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, "\0a", 3);
	y = x;
	ck_assert(addr_eq(&x, &y));
	((struct sockaddr_un *)&y.sa)->sun_path[2] = 'b';
	ck_assert(!addr_eq(&x, &y));
	check_text(&x, "unix", "unix");
	ck_assert(a.len != b.len);
	ck_assert(addr_eq(&a, &b));
	ck_assert(!addr_eq(&a, &other));
	ck_assert(!addr_eq(&a, &peer));
	ck_assert(!addr_eq(&a, &x));
}
END_TEST

START_TEST(forwarded_addresses_lose_their_port)
{
	static const char *const accepts[][2] = {
	    {"192.0.2.1", "192.0.2.1"},
	    {"192.0.2.1:1234", "192.0.2.1"},
	    {"2001:db8::1", "2001:db8::1"},
	    {"::", "::"},
	    {"::1", "::1"},
	    {"[2001:db8::1]", "2001:db8::1"},
	    {"[2001:db8::1]:1234", "2001:db8::1"},
	    {"::ffff:192.0.2.1", "192.0.2.1"},
	    {"[::ffff:192.0.2.1]:80", "192.0.2.1"},
	    {"2001:db8::1:1234", "2001:db8::1:1234"},
	};
	static const char *const refuses[] = {"", "unknown", "_hidden", "1.2.3",
	    "192.0.2.1:", "192.0.2.1:x", "192.0.2.1:65536", "192.0.2.1 ",
	    " 192.0.2.1", "192.0.2.1,192.0.2.2", "[192.0.2.1]",
	    "[192.0.2.1]:80", "[::1", "::1]", "[::1]:", "[::1]x", "[]", "[",
	    "]", ":", ":80", "::1%lo", "\"[::1]\"", "[::1]:80:80", "[[::1]]"};
	struct addr a;
	size_t i;

	for (i = 0; i < COUNT(accepts); i++) {
		char text[ADDR_TEXT_MAX];

		a = must_parse_ip(accepts[i][0]);
		addr_ip_text(&a, text);
		ck_assert_str_eq(text, accepts[i][1]);
		ck_assert_uint_eq(addr_port(&a), 0);
	}
	for (i = 0; i < COUNT(refuses); i++)
		ck_assert_msg(!parse(addr_parse_ip, refuses[i], &a), "took %s",
		    refuses[i]);
	ck_assert(!addr_parse_ip(SLICE("192.0.2.1\0"), &a));
	ck_assert(!addr_parse_ip(SLICE("::1\0"), &a));
}
END_TEST

START_TEST(host_and_port_are_split)
{
	static const struct {
		const char *text, *host;
		int port;
	} accepts[] = {
	    {"127.0.0.1:8080", "127.0.0.1", 8080},
	    {"localhost:1", "localhost", 1},
	    {"app_1.internal.example.:65535", "app_1.internal.example.", 65535},
	    {"[::1]:80", "::1", 80},
	    {"[2001:db8::1]:80", "2001:db8::1", 80},
	};
	static const char *const refuses[] = {"", "localhost",
	    "localhost:", "localhost:0", "localhost:65536", "localhost:http",
	    ":80", "*:80", "a b:80", "a/b:80", "user@host:80", "::1:80",
	    "[::1]", "[::1]:0", "[localhost]:80", "[127.0.0.1]:80", "[]:80",
	    "a:80:80", "unix:/x", "http://a:80"};
	struct slice host;
	uint16_t port;
	size_t i;

	for (i = 0; i < COUNT(accepts); i++) {
		ck_assert(addr_split_host_port(
		    slice_of(accepts[i].text), &host, &port));
		ck_assert(slice_eq(host, slice_of(accepts[i].host)));
		ck_assert_uint_eq(port, accepts[i].port);
	}
	for (i = 0; i < COUNT(refuses); i++)
		ck_assert_msg(
		    !addr_split_host_port(slice_of(refuses[i]), &host, &port),
		    "took %s", refuses[i]);
}
END_TEST

START_TEST(numeric_hosts_resolve_to_themselves)
{
	struct addr out[4];
	const char *error = NULL;

	ck_assert_int_eq(addr_resolve("127.0.0.1", 80, out, 4, &error), 1);
	check_text(&out[0], "127.0.0.1:80", "127.0.0.1");
	ck_assert_int_eq(addr_resolve("::1", 443, out, 4, &error), 1);
	check_text(&out[0], "[::1]:443", "::1");
	ck_assert_int_eq(
	    addr_resolve("::ffff:127.0.0.1", 80, out, 4, &error), 1);
	ck_assert_int_eq(out[0].sa.ss_family, AF_INET);
	ck_assert_ptr_null(error);
}
END_TEST

START_TEST(a_name_that_does_not_resolve_is_an_error_with_a_text)
{
	struct addr out[1];
	const char *error = NULL;

	/* a label of more than 63 bytes: no name server is asked */
	ck_assert_int_eq(
	    addr_resolve("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..example",
		80, out, 1, &error),
	    -1);
	ck_assert_ptr_nonnull(error);
	ck_assert_str_ne(error, "");
}
END_TEST

START_TEST(equal_addresses_have_equal_ports)
{
	struct addr a = must_parse("192.0.2.1:80"), none = {0};
	struct addr b = must_parse("192.0.2.1:80");
	struct addr mapped = mapped_peer("192.0.2.1", 80);
	struct addr path = unix_addr("/run/a"), other = unix_addr("/run/b");

	ck_assert(addr_eq(&a, &b));
	ck_assert(addr_eq(&a, &mapped));
	b = must_parse("192.0.2.1:81");
	ck_assert(!addr_eq(&a, &b));
	b = must_parse("192.0.2.2:80");
	ck_assert(!addr_eq(&a, &b));
	b = must_parse("[::1]:80");
	ck_assert(!addr_eq(&a, &b));
	ck_assert(addr_eq(&b, &b));
	ck_assert(addr_eq(&none, &none));
	ck_assert(!addr_eq(&a, &none));
	ck_assert(addr_eq(&path, &path));
	ck_assert(!addr_eq(&path, &other));
	ck_assert(!addr_eq(&path, &a));
	ck_assert(!addr_eq(&a, &path));
}
END_TEST

START_TEST(link_local_addresses_differ_by_interface)
{
	struct addr a = must_parse("[fe80::1]:80"), b = a;

	ck_assert(addr_eq(&a, &b));
	((struct sockaddr_in6 *)&b.sa)->sin6_scope_id = 3;
	ck_assert(!addr_eq(&a, &b));
}
END_TEST

START_TEST(peers_are_printed_as_people_write_them)
{
	struct addr mapped = mapped_peer("192.0.2.1", 80), none = {0};
	struct addr peer = unix_addr("");

	check_text(&mapped, "192.0.2.1:80", "192.0.2.1");
	check_text(&peer, "unix", "unix");
	check_text(&none, "-", "-");
	ck_assert_uint_eq(addr_port(&peer), 0);
	ck_assert_uint_eq(addr_port(&none), 0);
}
END_TEST

START_TEST(networks_hold_their_own_addresses_only)
{
	static const struct {
		const char *net, *in[4], *out[5];
	} rows[] = {
	    {"10.0.0.0/8", {"10.0.0.0", "10.255.255.255"},
		{"9.255.255.255", "11.0.0.0", "::a00:1", "::1"}},
	    {"192.168.4.0/22", {"192.168.4.0", "192.168.7.255"},
		{"192.168.3.255", "192.168.8.0"}},
	    {"192.0.2.1", {"192.0.2.1"}, {"192.0.2.0", "192.0.2.2"}},
	    {"192.0.2.1/32", {"192.0.2.1"}, {"192.0.2.0", "192.0.2.3"}},
	    {"192.0.2.0/31", {"192.0.2.0", "192.0.2.1"}, {"192.0.2.2"}},
	    {"0.0.0.0/0", {"0.0.0.0", "255.255.255.255"}, {"::", "::1"}},
	    {"::1", {"::1"}, {"::2", "::", "0.0.0.1", "127.0.0.1"}},
	    {"2001:db8::/32", {"2001:db8::", "2001:db8:ffff::1"},
		{"2001:db9::", "2001:db7:ffff::", "10.0.0.1"}},
	    {"2001:db8:8000::/33", {"2001:db8:8000::", "2001:db8:ffff::"},
		{"2001:db8:7fff::"}},
	    {"::/0", {"::", "::1", "ffff::1"}, {"0.0.0.0", "10.0.0.1"}},
	    {"::ffff:10.0.0.0/104", {"10.1.2.3"}, {"11.0.0.0", "::1"}},
	};
	struct addr path = unix_addr(""), none = {0}, a;
	struct addr_net net;
	size_t i, k;

	for (i = 0; i < COUNT(rows); i++) {
		ck_assert(addr_net_parse(slice_of(rows[i].net), &net));
		for (k = 0; k < 4 && rows[i].in[k] != NULL; k++) {
			a = must_parse_ip(rows[i].in[k]);
			ck_assert_msg(addr_net_has(&net, &a), "%s not in %s",
			    rows[i].in[k], rows[i].net);
		}
		for (k = 0; k < 5 && rows[i].out[k] != NULL; k++) {
			a = must_parse_ip(rows[i].out[k]);
			ck_assert_msg(!addr_net_has(&net, &a), "%s in %s",
			    rows[i].out[k], rows[i].net);
		}
		ck_assert(!addr_net_has(&net, &path));
		ck_assert(!addr_net_has(&net, &none));
	}
}
END_TEST

START_TEST(a_mapped_peer_is_in_the_ipv4_network_and_not_in_all_of_ipv6)
{
	struct addr peer = mapped_peer("10.1.2.3", 999);
	struct addr_net net;

	ck_assert(addr_net_parse(SLICE("10.0.0.0/8"), &net));
	ck_assert(addr_net_has(&net, &peer));
	ck_assert(addr_net_parse(SLICE("10.1.2.3"), &net));
	ck_assert(addr_net_has(&net, &peer));
	ck_assert(addr_net_parse(SLICE("192.0.2.0/24"), &net));
	ck_assert(!addr_net_has(&net, &peer));
	ck_assert(addr_net_parse(SLICE("::/0"), &net));
	ck_assert(!addr_net_has(&net, &peer));
}
END_TEST

START_TEST(unix_holds_unix_peers_only)
{
	struct addr peer = unix_addr(""), path = unix_addr("/run/a");
	struct addr ip = must_parse_ip("127.0.0.1"), none = {0};
	struct addr_net net;

	ck_assert(addr_net_parse(SLICE("unix"), &net));
	ck_assert(addr_net_has(&net, &peer));
	ck_assert(addr_net_has(&net, &path));
	ck_assert(!addr_net_has(&net, &ip));
	ck_assert(!addr_net_has(&net, &none));
}
END_TEST

START_TEST(a_network_is_told_as_it_was_written)
{
	static const char *const nets[] = {"unix", "10.0.0.0/8", "0.0.0.0/0",
	    "192.0.2.1", "192.0.2.0/31", "::/0", "::1", "2001:db8::/32",
	    "2001:db8::2/127"};
	char text[ADDR_TEXT_MAX];
	struct addr_net net;

	for (size_t i = 0; i < COUNT(nets); i++) {
		ck_assert(addr_net_parse(slice_of(nets[i]), &net));
		addr_net_text(&net, text);
		ck_assert_str_eq(text, nets[i]);
	}
	ck_assert(addr_net_parse(SLICE("10.0.0.1/32"), &net));
	addr_net_text(&net, text);
	ck_assert_str_eq(text, "10.0.0.1");
}
END_TEST

START_TEST(what_is_no_network_is_refused)
{
	static const char *const refuses[] = {"", "/", "/8", "10.0.0.0/",
	    "10.0.0.0/33", "10.0.0.0/256", "10.0.0.0/264", "10.0.0.0/-1",
	    "10.0.0.0/ 8", "10.0.0.0/8 ", "10.0.0.0/0008", "10.0.0.0/8/8",
	    "10.0.0.1/8", "10.128.0.0/8", "10/8", "10.0.0/8", "::/129",
	    "::1/127", "[::1]", "[::]/0", "2001:db8::1/32", "localhost", "Unix",
	    "unix ", "unix/8", "10.0.0.0/255.0.0.0", "192.0.2.1:80", "*"};
	struct addr_net net;
	size_t i;

	for (i = 0; i < COUNT(refuses); i++) {
		size_t len = strlen(refuses[i]);
		struct guarded g = guard_bytes(refuses[i], len);

		ck_assert_msg(!addr_net_parse((struct slice){g.at, len}, &net),
		    "took %s", refuses[i]);
		guard_free(&g);
	}
	ck_assert(!addr_net_parse(SLICE("10.0.0.0\0/8"), &net));
	ck_assert(!addr_net_parse(SLICE_NONE, &net));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("addr");
	TCase *tcase = tcase_create("addr");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, addresses_with_port_are_parsed_and_printed);
	tcase_add_test(tcase, what_is_no_address_with_port_is_refused);
	tcase_add_test(tcase, a_unix_socket_is_known_by_its_path);
	tcase_add_test(tcase, unix_sockets_differ_by_every_byte_of_their_path);
	tcase_add_test(tcase, forwarded_addresses_lose_their_port);
	tcase_add_test(tcase, host_and_port_are_split);
	tcase_add_test(tcase, numeric_hosts_resolve_to_themselves);
	tcase_add_test(
	    tcase, a_name_that_does_not_resolve_is_an_error_with_a_text);
	tcase_add_test(tcase, equal_addresses_have_equal_ports);
	tcase_add_test(tcase, link_local_addresses_differ_by_interface);
	tcase_add_test(tcase, peers_are_printed_as_people_write_them);
	tcase_add_test(tcase, networks_hold_their_own_addresses_only);
	tcase_add_test(
	    tcase, a_mapped_peer_is_in_the_ipv4_network_and_not_in_all_of_ipv6);
	tcase_add_test(tcase, unix_holds_unix_peers_only);
	tcase_add_test(tcase, a_network_is_told_as_it_was_written);
	tcase_add_test(tcase, what_is_no_network_is_refused);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
