/* SPDX-License-Identifier: ISC */
/* What a configuration may say of TLS, and what is wrong with what it says; the
 * files themselves are test_tls's. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_read.h"
#include "fake_certificates.h"

#define ROOT "upstream = u\n[upstream u]\nserver = 127.0.0.1:1\n[location /]\n"
#define GET "allow = GET\n"

/* "@" stands for the folder of the certificates. */
static struct config *
read_text(const char *text, struct config_report *report)
{
	struct config_options options = {.certificates = true};
	const char *path = fake_certificate("t.ini");
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
	return config_read(path, &options, report);
}

/* All messages, without the folder. */
static void
print(const struct config_report *report, char *out, size_t size)
{
	const char *path = fake_certificate("");
	size_t len = strlen(path);
	char *all, *at;
	FILE *file = open_memstream(&all, &(size_t){0});

	config_report_print(report, file);
	fclose(file);
	while ((at = strstr(all, path)) != NULL)
		memmove(at, at + len, strlen(at + len) + 1);
	snprintf(out, size, "%s", all);
	free(all);
}

#define A                                                                      \
	"[site]\nlisten = 127.0.0.1:443 tls\ncertificate = local.pem\n"        \
	"key = local.key\nhost = localhost\n"

static const struct {
	const char *text, *messages;
} rows[] = {
    {A ROOT GET, ""},
    {"[site]\nlisten = *:443 tls\n" ROOT GET,
	"t.ini:2: listen *:443: tls needs a certificate: add 'certificate' "
	"and 'key' to this [site]\n"},
    {"[site]\nlisten = *:80\ncertificate = local.pem\nkey = local.key\n" ROOT
	    GET,
	"t.ini:3: warning: certificate is not used: no listener of this site "
	"has tls, such as 'listen = *:443 tls'\n"},
    {"[site]\nlisten = *:443 tls\ncertificate = local.pem\n" ROOT GET,
	"t.ini:3: certificate local.pem has no key: add 'key' below it\n"},
    {"[site]\nlisten = *:443 tls\nkey = local.key\n" ROOT GET,
	"t.ini:3: key local.key has no certificate: add 'certificate' above "
	"it\n"},
    {"[site]\nlisten = *:443 tls\ncertificate = none.pem\nkey = "
     "local.key\n" ROOT GET,
	"t.ini:3: none.pem can't be read: No such file or directory\n"},
    {"[site]\nlisten = *:443 tls\ncertificate = local.pem\nkey = b.key\n" ROOT
	    GET,
	"t.ini:4: the key b.key is not that of the certificate local.pem, the "
	"first one in its file\n"},
    {"[site]\nlisten = *:443 tls\ncertificate = weak.pem\nkey = "
     "weak.key\n" ROOT GET,
	"t.ini:3: the certificate weak.pem can't be used: ee key too "
	"small\n"},
    {A "certificate = old.pem\nkey = old.key\n" ROOT GET,
	"t.ini:6: warning: the certificate old.pem has expired on "
	"2021-01-01\n"},
    {A "host = b.example.org *.localhost\n" ROOT GET,
	"t.ini:6: warning: host b.example.org is in no certificate of this "
	"site\nt.ini:6: warning: host *.localhost is in no certificate of "
	"this site\n"},
    {A "host = b.example.org\ncertificate = b.pem\nkey = b.key\n" ROOT GET, ""},
    {A "tls_min = 1.1\n" ROOT GET,
	"t.ini:6: tls_min = 1.1: did you mean 1.2?\n"},
    {A "client_certificate = required\n" ROOT GET,
	"t.ini:6: client_certificate needs client_ca: the file of who signs "
	"the certificates of clients\n"},
    {A "client_certificate = optional\nclient_ca = b.key\n" ROOT GET,
	"t.ini:7: no certificate in b.key: it must be PEM\n"},
    {A "client_ca = ca.pem\nclient_certificate_header = X-Who\n" ROOT GET,
	"t.ini:6: warning: client_ca is not used: client_certificate is off\n"
	"t.ini:7: warning: client_certificate_header is never sent: "
	"client_certificate is off\n"},
    {A "client_ca = ca.pem\nclient_certificate = required\n"
       "listen = *:80\n" ROOT GET,
	"t.ini:7: warning: client_certificate = required, but this site has "
	"listeners without tls, where none is asked for\n"},
    {A "client_ca = ca.pem\nclient_certificate = required\n"
       "listen = *:80\nredirect_https = 308\n"
       "client_certificate_header = X-Request-Id\n" ROOT GET,
	"t.ini:10: client_certificate_header = X-Request-Id: that is the name "
	"of the request_id_header of [gate]\n"},
    {A "client_ca = ca.pem\nclient_certificate = optional\nflag_header = "
       "X-Who\nclient_certificate_header = x_who\n" ROOT GET,
	"t.ini:9: client_certificate_header = x_who: that is the name of the "
	"flag_header\n"},
    {A "client_certificate_header = Cookie\n" ROOT GET,
	"t.ini:6: client_certificate_header = Cookie: this field has a "
	"meaning of its own; write another, such as X-Client-Subject\n"},
    {A "listen = *:80\nredirect_https = 301\n" ROOT GET,
	"t.ini:7: warning: redirect_https = 301 makes clients turn POST into "
	"GET: 308 keeps the method\n"},
    {"[site]\nlisten = *:80\nredirect_https = 308\n" ROOT GET,
	"t.ini:3: redirect_https would go round: no listener of this site has "
	"tls, and there are no trusted_proxies that could say https\n"},
    {"[gate]\ntrusted_proxies = 10.0.0.0/8\n[site]\nlisten = *:80\n"
     "redirect_https = 308\n" ROOT GET,
	""},
    {A ROOT GET "[upstream v]\nserver = 127.0.0.1:2\ntls_name = a\n"
		"tls_verify = off\n[location /v]\nallow = GET\nupstream = v\n",
	"t.ini:13: tls_name needs 'tls = on'\n"},
    {A ROOT GET "[upstream v]\nserver = 127.0.0.1:2\n"
		"tls_verify = off\n[location /v]\nallow = GET\nupstream = v\n",
	"t.ini:13: tls_verify needs 'tls = on'\n"},
    {A ROOT GET "[upstream v]\nserver = 127.0.0.1:2\ntls = on\n"
		"tls_verify = off\n[location /v]\nallow = GET\nupstream = v\n",
	"t.ini:14: warning: tls_verify = off: whoever answers at the servers' "
	"addresses is believed\n"},
    {A ROOT GET "[upstream v]\nserver = 127.0.0.1:2\ntls = on\n"
		"tls_key = local.key\ntls_ca = none.pem\n[location /v]\n"
		"allow = GET\nupstream = v\n",
	"t.ini:14: tls_certificate and tls_key need one another\n"},
    {A ROOT GET "[upstream v]\nserver = 127.0.0.1:2\ntls = on\n"
		"tls_ca = none.pem\ntls_certificate = client.pem\n"
		"tls_key = b.key\n[location /v]\nallow = GET\nupstream = v\n",
	"t.ini:14: none.pem can't be read: No such file or directory\n"
	"t.ini:16: the key b.key is not that of the certificate client.pem, "
	"the first one in its file\n"},
    {A ROOT GET "[upstream v]\nserver = unix:/run/v\ntls = on\n"
		"[location /v]\nallow = GET\nupstream = v\n",
	"t.ini:12: server unix:/run/v: TLS to a unix socket needs tls_name\n"},
    {A ROOT GET "[upstream v]\nserver = unix:/run/v\ntls = on\n"
		"tls_name = a:8\n[location /v]\nallow = GET\nupstream = v\n",
	"t.ini:14: tls_name = a:8: not a host name, such as "
	"app.example.org\n"},
};

START_TEST(what_is_wrong_is_told_by_line)
{
	struct config_report report;
	struct config *config = read_text(rows[_i].text, &report);
	char seen[4096];

	print(&report, seen, sizeof(seen));
	ck_assert_str_eq(seen, rows[_i].messages);
	ck_assert_int_eq(config != NULL, report.error_count == 0);
	config_report_done(&report);
	config_unref(config);
}
END_TEST

START_TEST(keys_land_in_their_places)
{
	struct config_report report;
	struct config *config = read_text(
	    "[site]\nlisten = *:80\nlisten = *:8443 tls\nhost = localhost\n"
	    "certificate = local.pem\nkey = local.key\ntls_min = 1.3\n"
	    "client_ca = ca.pem\nclient_certificate = optional\n"
	    "client_certificate_header = X-Who\nredirect_https = 308\n"
	    "upstream = u\n[upstream u]\nserver = 127.0.0.1:1\n"
	    "server = [::1]:2\ntls = on\ntls_ca = ca.pem\n"
	    "tls_certificate = client.pem\ntls_key = client.key\n"
	    "[location /]\n" GET,
	    &report);
	const struct site *site;
	const struct upstream_config *upstream;

	ck_assert_ptr_nonnull(config);
	site = config->sites[0];
	upstream = config->upstreams[0];
	ck_assert_int_eq(site->tls_min, TLS_VERSION_1_3);
	ck_assert_int_eq(site->clients, TLS_CLIENTS_OPTIONAL);
	ck_assert(slice_eq(site->certificate_header, SLICE("X-Who")));
	ck_assert_int_eq(site->rules.redirect_https, HTTPS_308);
	ck_assert_uint_eq(site->https_port, 8443);
	ck_assert_uint_eq(site->rules.realm, tls_site_realm(site->tls));
	ck_assert_uint_ne(site->rules.realm, 0);
	ck_assert(!site->listens[0]->tls && site->listens[1]->tls);
	ck_assert_ptr_null(site->listens[0]->tls_door);
	ck_assert_ptr_nonnull(site->listens[1]->tls_door);
	ck_assert_ptr_nonnull(upstream->outlook);
	ck_assert_str_eq(upstream->servers[0].tls.name, "127.0.0.1");
	ck_assert_str_eq(upstream->servers[1].tls.name, "::1");
	ck_assert_uint_ne(
	    upstream->servers[0].tls.id, upstream->servers[1].tls.id);
	config_report_done(&report);
	config_unref(config);
}
END_TEST

START_TEST(ticket_keys_are_handed_on)
{
	struct tls_tickets *tickets = tls_tickets_new(1000);
	struct config_options options = {
	    .certificates = true, .tickets = tickets};
	struct config_report report;
	struct config *config;

	config_unref(read_text(A ROOT GET, &report));
	config_report_done(&report);
	config = config_read(fake_certificate("t.ini"), &options, &report);
	ck_assert_ptr_eq(config->tickets, tickets);
	config_report_done(&report);
	config_unref(config);
	tls_tickets_unref(tickets);
}
END_TEST

/* Who only asks what is allowed may have no right to read keys. */
START_TEST(files_are_left_alone_where_nobody_serves)
{
	struct config_options options = {.certificates = false};
	struct config_report report;
	struct config *config;

	config_unref(read_text(
	    "[site]\nlisten = *:443 tls\ncertificate = none\nkey = none\n" ROOT
		GET,
	    &report));
	config_report_done(&report);
	config = config_read(fake_certificate("t.ini"), &options, &report);
	ck_assert_ptr_nonnull(config);
	ck_assert(config->listens[0]->tls);
	ck_assert_ptr_null(config->listens[0]->tls_door);
	config_report_done(&report);
	config_unref(config);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("config_tls");
	TCase *tcase = tcase_create("config_tls");
	SRunner *runner;
	int failed;

	fake_certificates_make();
	tcase_add_loop_test(tcase, what_is_wrong_is_told_by_line, 0,
	    (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tcase, keys_land_in_their_places);
	tcase_add_test(tcase, ticket_keys_are_handed_on);
	tcase_add_test(tcase, files_are_left_alone_where_nobody_serves);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	fake_certificates_remove();
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
