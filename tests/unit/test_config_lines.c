/* SPDX-License-Identifier: ISC */
/* What inih gets to see of a file, and what is refused by file and line. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config_lines.h"
#include "guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define INI_LINE 200 /* bytes of inih's own buffer */

#define X10 "xxxxxxxxxx"
#define X49 X10 X10 X10 X10 "xxxxxxxxx"
#define X190 X49 X49 X49 X10 X10 X10 X10 "xxx"

/* Everything that came of a text, as text. */
struct trace {
	char text[4096];
	size_t len;
	const struct config_lines *lines;
};

static void
add(struct trace *trace, struct slice s)
{
	ck_assert_uint_lt(trace->len + s.len, sizeof(trace->text));
	memcpy(trace->text + trace->len, s.at, s.len);
	trace->len += s.len;
	trace->text[trace->len] = '\0';
}

static void
on_section(void *arg, struct slice name)
{
	struct trace *trace = arg;
	char number[16];

	snprintf(number, sizeof(number), "%u", trace->lines->line);
	add(trace, slice_of(number));
	add(trace, name.at != NULL ? SLICE("[") : SLICE("[refused"));
	if (name.at != NULL)
		add(trace, name);
	add(trace, SLICE("]\n"));
}

/* "LINE:text" for what inih gets, "LINE[name]" for sections. */
static void
run(struct slice text, struct config_notes *notes, struct trace *trace)
{
	static const struct config_file file = {"t.ini", 0};
	struct guarded g = guard_bytes(text.at, text.len);
	struct config_lines lines = {.notes = notes,
	    .file = &file,
	    .text = {g.at, text.len},
	    .section = on_section,
	    .arg = trace};
	char out[INI_LINE], number[16];

	*trace = (struct trace){.lines = &lines};
	while (config_lines_next(out, sizeof(out), &lines) != NULL) {
		ck_assert_ptr_nonnull(strchr(out, '\n'));
		if (out[0] == '\n')
			continue;
		snprintf(number, sizeof(number), "%u:", lines.line);
		add(trace, slice_of(number));
		add(trace, slice_of(out));
	}
	guard_free(&g);
}

static const struct {
	struct slice text;
	const char *seen;
} accepts[] = {
    {SLICE(""), ""},
    {SLICE("\n\n \t\n"), ""},
    {SLICE("a = b"), "1:a = b\n"},
    {SLICE("a=b\n"), "1:a=b\n"},
    {SLICE("a = b = c\n"), "1:a = b = c\n"},
    {SLICE("a =\n"), "1:a =\n"},
    {SLICE("a_1-B = http://x/y:z\n"), "1:a_1-B = http://x/y:z\n"},
    {SLICE("; = x\n# [x\n  ; x\na = b\n"), "4:a = b\n"},
    {SLICE("a = b ; it's # [x]\n"), "1:a = b ; it's # [x]\n"},
    {SLICE("a = b#c\n"), "1:a = b#c\n"},
    {SLICE("a = \xc3\xa9\n"), "1:a = \xc3\xa9\n"},
    /* Indentation would make inih join the lines. */
    {SLICE("  a = b\n\t c = d  \n"), "1:a = b\n2:c = d\n"},
    {SLICE("\xef\xbb\xbf[a]\n"), "1[a]\n"},
    {SLICE("[a]\r\nb = c\r\n"), "1[a]\n2:b = c\n"},
    {SLICE("[a]\n[b]\n\n[ c  d ]\n"), "1[a]\n2[b]\n4[c  d]\n"},
    {SLICE(" [a] ; x\n[b]# y\n[c]\t\n"), "1[a]\n2[b]\n3[c]\n"},
    {SLICE("[location = /a=b;c#d]\n"), "1[location = /a=b;c#d]\n"},
    {SLICE("[" X49 "]\n"), "1[" X49 "]\n"},
    {SLICE("   a = 4567" X190 "   \n"), "1:a = 4567" X190 "\n"},
};

START_TEST(good_lines_reach_inih_and_sections_are_told)
{
	struct config_notes notes;
	struct trace trace;
	size_t i;

	for (i = 0; i < COUNT(accepts); i++) {
		config_notes_init(&notes);
		run(accepts[i].text, &notes, &trace);
		ck_assert_msg(notes.count == 0, "row %zu: %s", i,
		    notes.count > 0 ? notes.list[0].text : "");
		ck_assert_str_eq(trace.text, accepts[i].seen);
		config_notes_done(&notes);
	}
}
END_TEST

#define LONG_LINE                                                              \
	"line longer than 198 bytes: break it up; a list may go on by "        \
	"repeating its key"
#define CONTROL "control byte in the line"
#define TEXT_AFTER                                                             \
	"text after the ']' of the section header: a section name holds no "   \
	"']', and keys stand on lines of their own"
#define PAIR                                                                   \
	"expected 'key = value', '[section]' or a comment that begins with "   \
	"';' or '#'"
#define HASH                                                                   \
	"'#' begins no comment behind a value: use ';', or put the comment "   \
	"on "                                                                  \
	"a line of its own"
#define NO_EQUALS "expected 'key = value': '=' is missing after the key"

/* Each text is one bad line; the error is on it, and the good lines around it
 * are still seen. */
static const struct {
	struct slice line;
	const char *message;
	bool header; /* the section below it must not be the one above */
} refuses[] = {
    {SLICE("a = 45678" X190), LONG_LINE, false},
    {SLICE("; comment" X190), LONG_LINE, false},
    {SLICE("[comment]" X190), LONG_LINE, true},
    {SLICE("a = GET\0 POST"), CONTROL, false},
    {SLICE("a = GET\1"), CONTROL, false},
    {SLICE("a = GET\x7f"), CONTROL, false},
    {SLICE("a = b\rc = d"), CONTROL, false},
    {SLICE("a = b\r\r"), CONTROL, false},
    {SLICE("; a\vb"), CONTROL, false},
    {SLICE("[a\0]"), CONTROL, true},
    {SLICE("[a"), "']' is missing at the end of the section header", true},
    {SLICE("["), "']' is missing at the end of the section header", true},
    {SLICE("[/a[b]c]"), TEXT_AFTER, true},
    {SLICE("[a] b = c"), TEXT_AFTER, true},
    {SLICE("[a]]"), TEXT_AFTER, true},
    {SLICE("[a[b]"), "'[' inside a section header", true},
    {SLICE("[a ;b]"),
	"a comment inside a section header: put it behind the ']'", true},
    {SLICE("[a #b]"),
	"a comment inside a section header: put it behind the ']'", true},
    {SLICE("[]"), "section header without a name", true},
    {SLICE("[ \t]"), "section header without a name", true},
    {SLICE("[" X49 "x]"),
	"section name longer than 49 bytes: give the location a short name, "
	"[location reports], and its pattern as 'path = /...' below",
	true},
    {SLICE("allow"), NO_EQUALS, false},
    {SLICE("allow GET = POST"), NO_EQUALS, false},
    {SLICE("a ; = b"), NO_EQUALS, false},
    {SLICE("a: b"), "expected 'key = value': write '=' in place of ':'", false},
    {SLICE("= b"), PAIR, false},
    {SLICE("::1 = b"), PAIR, false},
    {SLICE("\xef\xbb\xbf"
	   "a = b"),
	PAIR, false},
    {SLICE("a = b # c"), HASH, false},
    {SLICE("a = # c"), HASH, false},
    {SLICE("a = b\t#c ; d"), HASH, false},
};

START_TEST(bad_lines_are_refused_by_file_and_line)
{
	struct config_notes notes;
	struct trace trace;
	char text[1024], wanted[512];
	size_t i, len;

	for (i = 0; i < COUNT(refuses); i++) {
		config_notes_init(&notes);
		len = (size_t)snprintf(text, sizeof(text), "[s]\na = 1\n");
		memcpy(text + len, refuses[i].line.at, refuses[i].line.len);
		len += refuses[i].line.len;
		memcpy(text + len, "\nb = 2\n", 7);
		run((struct slice){text, len + 7}, &notes, &trace);
		ck_assert_msg(
		    notes.count == 1, "row %zu: %u notes", i, notes.count);
		ck_assert_uint_eq(notes.error_count, 1);
		snprintf(
		    wanted, sizeof(wanted), "t.ini:3: %s", refuses[i].message);
		ck_assert_str_eq(notes.list[0].text, wanted);
		ck_assert_str_eq(trace.text,
		    refuses[i].header ? "1[s]\n2:a = 1\n3[refused]\n4:b = 2\n"
				      : "1[s]\n2:a = 1\n4:b = 2\n");
		config_notes_done(&notes);
	}
}
END_TEST

START_TEST(a_line_of_198_bytes_is_taken_and_one_of_199_not)
{
	static const struct config_file file = {"t.ini", 0};
	char text[CONFIG_LINE_MAX + 2], out[INI_LINE];
	struct config_notes notes;
	struct config_lines lines = {.notes = &notes, .file = &file};

	memset(text, 'x', sizeof(text));
	memcpy(text, "a = ", 4);
	config_notes_init(&notes);
	lines.text = (struct slice){text, CONFIG_LINE_MAX};
	ck_assert_ptr_eq(config_lines_next(out, sizeof(out), &lines), out);
	ck_assert_uint_eq(strlen(out), CONFIG_LINE_MAX + 1);
	ck_assert_uint_eq(notes.count, 0);
	lines = (struct config_lines){.notes = &notes, .file = &file};
	lines.text = (struct slice){text, CONFIG_LINE_MAX + 1};
	ck_assert_ptr_eq(config_lines_next(out, sizeof(out), &lines), out);
	ck_assert_str_eq(out, "\n");
	ck_assert_uint_eq(notes.error_count, 1);
	config_notes_done(&notes);
}
END_TEST

START_TEST(a_smaller_buffer_of_inih_is_never_overrun)
{
	static const struct config_file file = {"t.ini", 0};
	struct config_notes notes;
	struct config_lines lines = {.notes = &notes, .file = &file};
	struct guarded g = guard_bytes("........", 8);

	config_notes_init(&notes);
	lines.text = SLICE("a = 56\na = 567\n");
	ck_assert_str_eq(config_lines_next(g.at, 8, &lines), "a = 56\n");
	ck_assert_str_eq(config_lines_next(g.at, 8, &lines), "\n");
	ck_assert_ptr_null(config_lines_next(g.at, 8, &lines));
	ck_assert_uint_eq(notes.count, 1);
	ck_assert_str_eq(notes.list[0].text,
	    "t.ini:2: line longer than this build of inih takes");
	config_notes_done(&notes);
	guard_free(&g);
}
END_TEST

START_TEST(notes_are_sorted_by_file_and_line_and_else_keep_their_order)
{
	static const struct config_file a = {"a.ini", 0}, b = {"b.ini", 1};
	static const char *const wanted[] = {"a.ini: whole", "a.ini:2: first",
	    "a.ini:2: warning: second", "a.ini:10: third", "b.ini:1: fourth"};
	struct config_notes notes;
	size_t i;

	config_notes_init(&notes);
	config_error(&notes, &b, 1, "%s", "fourth");
	config_error(&notes, &a, 10, "third");
	config_error(&notes, &a, 2, "first");
	config_warn(&notes, &a, 2, "second");
	config_error(&notes, &a, 0, "whole");
	config_notes_sort(&notes);
	ck_assert_uint_eq(notes.count, COUNT(wanted));
	ck_assert_uint_eq(notes.error_count, 4);
	for (i = 0; i < COUNT(wanted); i++)
		ck_assert_str_eq(notes.list[i].text, wanted[i]);
	config_notes_done(&notes);
}
END_TEST

START_TEST(a_quoted_word_is_visible_and_short)
{
	struct config_notes notes;
	struct guarded g = guard_bytes("a\x1b[31m\xc3\xa9", 8);

	config_notes_init(&notes);
	ck_assert_str_eq(
	    config_quote(&notes, (struct slice){g.at, 8}), "a?[31m??");
	ck_assert_str_eq(config_quote(&notes, SLICE("")), "");
	ck_assert_str_eq(config_quote(&notes, SLICE(X49 X10 "1")), X49 X10 "1");
	ck_assert_str_eq(
	    config_quote(&notes, SLICE(X49 X10 "12")), X49 X10 "1...");
	config_notes_done(&notes);
	guard_free(&g);
}
END_TEST

static char path[] = "/tmp/methodgate-lines-XXXXXX";

static void
make_file(off_t size)
{
	int fd;

	strcpy(path + sizeof(path) - 7, "XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "[site]\n", 7), 7);
	if (size > 7)
		ck_assert_int_eq(ftruncate(fd, size), 0);
	close(fd);
}

START_TEST(a_file_is_loaded_whole)
{
	static const off_t sizes[] = {7, 64 * 1024, 64 * 1024 + 1, 1 << 20};
	const char *error = NULL;
	struct slice text;
	size_t i;

	for (i = 0; i < COUNT(sizes); i++) {
		make_file(sizes[i]);
		ck_assert(config_lines_load(path, &text, &error));
		ck_assert_uint_eq(text.len, (size_t)sizes[i]);
		ck_assert_mem_eq(text.at, "[site]\n", 7);
		free((char *)text.at);
		unlink(path);
	}
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
	const char *error = NULL;
	struct slice text;

	ck_assert(!config_lines_load("/tmp", &text, &error));
	ck_assert_str_eq(error, "it is a directory, not a file");
	ck_assert_ptr_null(text.at);
	ck_assert(!config_lines_load("/tmp/no/such/file", &text, &error));
	ck_assert_str_eq(error, "No such file or directory");
	/* A file that opens and can't be read. */
	ck_assert(!config_lines_load("/proc/self/mem", &text, &error));
	ck_assert_str_eq(error, "Input/output error");
	make_file((off_t)CONFIG_FILE_MAX + 1);
	ck_assert(!config_lines_load(path, &text, &error));
	ck_assert_str_eq(error, "larger than 64m");
	unlink(path);
	/* One whose size nobody knows before. */
	ck_assert(!config_lines_load("/dev/zero", &text, &error));
	ck_assert_str_eq(error, "larger than 64m");
	ck_assert(config_lines_load("/dev/null", &text, &error));
	ck_assert_uint_eq(text.len, 0);
	free((char *)text.at);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("config_lines");
	TCase *tcase = tcase_create("config_lines");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, good_lines_reach_inih_and_sections_are_told);
	tcase_add_test(tcase, bad_lines_are_refused_by_file_and_line);
	tcase_add_test(tcase, a_line_of_198_bytes_is_taken_and_one_of_199_not);
	tcase_add_test(tcase, a_smaller_buffer_of_inih_is_never_overrun);
	tcase_add_test(
	    tcase, notes_are_sorted_by_file_and_line_and_else_keep_their_order);
	tcase_add_test(tcase, a_quoted_word_is_visible_and_short);
	tcase_add_test(tcase, a_file_is_loaded_whole);
	tcase_add_test(tcase, what_is_no_file_is_refused);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
