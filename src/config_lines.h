/* SPDX-License-Identifier: ISC */
/* config_lines: the lines of a configuration file, and what is to be said about
 * them. inih gets no line that it would read otherwise than its author does. */
#ifndef CONFIG_LINES_H
#define CONFIG_LINES_H

#include <stdbool.h>

#include "mem.h"

#define CONFIG_LINE_MAX 198   /* bytes, without indentation and line end */
#define CONFIG_SECTION_MAX 49 /* bytes between the brackets */
#define CONFIG_FILE_MAX (64u * 1024 * 1024)

struct config_file {
	const char *path;
	unsigned index; /* in the order of reading */
};

/* Errors and warnings, in whatever order they are found. */
struct config_note {
	const char *text; /* "path:line: message" */
	unsigned file, line, order;
	bool is_error;
};
struct config_notes {
	struct arena arena;
	struct config_note *list;
	unsigned count, cap;
	unsigned error_count;
};
void config_notes_init(struct config_notes *notes);
void config_notes_done(struct config_notes *notes);
/* By file and line. */
void config_notes_sort(struct config_notes *notes);
/* line 0: the whole file. */
void config_error(struct config_notes *notes, const struct config_file *file,
    unsigned line, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void config_warn(struct config_notes *notes, const struct config_file *file,
    unsigned line, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The word as it may stand in a message: visible ASCII, of bounded length. */
const char *config_quote(struct config_notes *notes, struct slice word);

/* A source of lines. It refuses, by file and line: lines that are too long,
 * control bytes, malformed or too long section headers, text behind them, and
 * what is no "key = value". What it refuses, comments and section headers reach
 * inih as empty lines. */
struct config_lines {
	struct config_notes *notes;
	const struct config_file *file;
	struct slice text;
	size_t at;
	unsigned line; /* of the line given last, from 1 */
	/* A header at lines->line; the name is trimmed, SLICE_NONE where it was
	 * refused. */
	void (*section)(void *arg, struct slice name);
	void *arg;
};
/* An ini_reader of inih; source is a struct config_lines. */
char *config_lines_next(char *out, int size, void *source);

/* The whole file; free() text->at. False with *error a static text for a
 * directory, a file of more than CONFIG_FILE_MAX bytes, and what can't be
 * read. */
bool config_lines_load(
    const char *path, struct slice *text, const char **error);

/* Paths that patterns stand for. Zeroed at first. */
struct config_paths {
	char **list; /* malloced, as each of them */
	unsigned count;
};
/* A pattern of glob(7), as seen from the folder of the file `beside` unless it
 * is absolute. False when there is no such file. */
bool config_paths_add(
    struct config_paths *paths, const char *beside, struct slice pattern);
/* True when more than one file may match. */
bool config_paths_is_pattern(struct slice pattern);
/* Each once, in order of bytes, without the path itself. */
void config_paths_sort(struct config_paths *paths, const char *without);
void config_paths_done(struct config_paths *paths);

#endif
