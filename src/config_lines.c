/* SPDX-License-Identifier: ISC */
/* config_lines: stands between a file and inih, which splits long lines, joins
 * indented ones, cuts section names, ignores what follows a header, ends at a
 * NUL and says nothing of any of it. */
#include "config_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUOTE_MAX 60 /* bytes of a word in a message */
#define READ_AT_ONCE (64u * 1024)

void
config_notes_init(struct config_notes *notes)
{
	*notes = (struct config_notes){.count = 0};
	arena_init(&notes->arena, NULL);
}

void
config_notes_done(struct config_notes *notes)
{
	arena_done(&notes->arena);
	free(notes->list);
}

static int
compare_notes(const void *a, const void *b)
{
	const struct config_note *one = a, *other = b;

	if (one->file != other->file)
		return one->file < other->file ? -1 : 1;
	if (one->line != other->line)
		return one->line < other->line ? -1 : 1;
	return one->order < other->order ? -1 : one->order > other->order;
}

void
config_notes_sort(struct config_notes *notes)
{
	if (notes->count > 1)
		qsort(notes->list, notes->count, sizeof(*notes->list),
		    compare_notes);
}

static struct config_note *
add_note(
    struct config_notes *notes, const struct config_file *file, unsigned line)
{
	struct config_note *note;

	if (notes->count == notes->cap) {
		notes->cap = notes->cap > 0 ? notes->cap * 2 : 16;
		notes->list =
		    mem_realloc(notes->list, notes->cap * sizeof(*notes->list));
	}
	note = &notes->list[notes->count];
	*note = (struct config_note){
	    .file = file->index, .line = line, .order = notes->count};
	notes->count++;
	return note;
}

static const char *
place(struct config_notes *notes, const struct config_file *file, unsigned line,
    const char *kind, const char *text)
{
	if (line == 0)
		return arena_printf(
		    &notes->arena, "%s: %s%s", file->path, kind, text)
		    .at;
	return arena_printf(
	    &notes->arena, "%s:%u: %s%s", file->path, line, kind, text)
	    .at;
}

static __attribute__((format(printf, 1, 0))) char *
format(const char *fmt, va_list args)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, args) < 0)
		abort();
	return text;
}

void
config_error(struct config_notes *notes, const struct config_file *file,
    unsigned line, const char *fmt, ...)
{
	struct config_note *note = add_note(notes, file, line);
	va_list args;
	char *text;

	va_start(args, fmt);
	text = format(fmt, args);
	va_end(args);
	note->text = place(notes, file, line, "", text);
	note->is_error = true;
	notes->error_count++;
	free(text);
}

void
config_warn(struct config_notes *notes, const struct config_file *file,
    unsigned line, const char *fmt, ...)
{
	struct config_note *note = add_note(notes, file, line);
	va_list args;
	char *text;

	va_start(args, fmt);
	text = format(fmt, args);
	va_end(args);
	note->text = place(notes, file, line, "warning: ", text);
	free(text);
}

const char *
config_quote(struct config_notes *notes, struct slice word)
{
	bool cut = word.len > QUOTE_MAX;
	size_t i, len = cut ? QUOTE_MAX : word.len;
	char *out = arena_alloc(&notes->arena, len + sizeof("..."));

	for (i = 0; i < len; i++)
		out[i] =
		    word.at[i] >= ' ' && word.at[i] <= '~' ? word.at[i] : '?';
	memcpy(out + len, cut ? "..." : "", cut ? sizeof("...") : 1);
	return out;
}

static void
refuse(struct config_lines *lines, const char *why)
{
	config_error(lines->notes, lines->file, lines->line, "%s", why);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next line without line end and blanks around it; false at the end. */
static bool
take_line(struct config_lines *lines, struct slice *line)
{
	size_t from = lines->at, end;

	if (from >= lines->text.len)
		return false;
	end = slice_find(lines->text, '\n', from);
	lines->at = end + 1;
	lines->line++;
	if (end > from && lines->text.at[end - 1] == '\r')
		end--;
	*line = (struct slice){lines->text.at + from, end - from};
	if (lines->line == 1 && slice_starts(*line, SLICE("\xef\xbb\xbf")))
		*line = (struct slice){line->at + 3, line->len - 3};
	*line = slice_trim(*line);
	return true;
}

static bool
has_control(struct slice line)
{
	size_t i;

	for (i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.at[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return true;
	}
	return false;
}

/* Where the sign stands behind a blank, or the length. */
static size_t
find_comment(struct slice s, char sign)
{
	size_t at = slice_find(s, sign, 1);

	while (at < s.len && !is_blank(s.at[at - 1]))
		at = slice_find(s, sign, at + 1);
	return at;
}

/* "[name]", and nothing behind it but a comment. */
static const char *
read_header(struct slice line, struct slice *name)
{
	size_t end = slice_find(line, ']', 0);
	struct slice rest;

	if (end == line.len)
		return "']' is missing at the end of the section header";
	*name = (struct slice){line.at + 1, end - 1};
	rest = (struct slice){line.at + end + 1, line.len - end - 1};
	rest = slice_trim(rest);
	if (rest.len > 0 && rest.at[0] != ';' && rest.at[0] != '#')
		return "text after the ']' of the section header: a section "
		       "name holds no ']', and keys stand on lines of their "
		       "own";
	if (slice_find(*name, '[', 0) < name->len)
		return "'[' inside a section header";
	if (find_comment(*name, ';') < name->len ||
	    find_comment(*name, '#') < name->len)
		return "a comment inside a section header: put it behind the "
		       "']'";
	if (name->len > CONFIG_SECTION_MAX)
		return "section name longer than 49 bytes: give the location a "
		       "short name, [location reports], and its pattern as "
		       "'path = /...' below";
	*name = slice_trim(*name);
	return name->len == 0 ? "section header without a name" : NULL;
}

static void
take_header(struct config_lines *lines, struct slice line)
{
	struct slice name = SLICE_NONE;
	const char *why = read_header(line, &name);

	if (why != NULL) {
		refuse(lines, why);
		name = SLICE_NONE;
	}
	lines->section(lines->arg, name);
}

static bool
is_key_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* What of "key = value" is wrong, or NULL. */
static const char *
read_pair(struct slice line)
{
	size_t at = 0;
	struct slice value;

	while (at < line.len && is_key_byte(line.at[at]))
		at++;
	if (at == 0)
		return "expected 'key = value', '[section]' or a comment that "
		       "begins with ';' or '#'";
	while (at < line.len && is_blank(line.at[at]))
		at++;
	if (at < line.len && line.at[at] == ':')
		return "expected 'key = value': write '=' in place of ':'";
	if (at == line.len || line.at[at] != '=')
		return "expected 'key = value': '=' is missing after the key";
	value = (struct slice){line.at + at, line.len - at};
	value.len = find_comment(value, ';');
	if (find_comment(value, '#') < value.len)
		return "'#' begins no comment behind a value: use ';', or put "
		       "the comment on a line of its own";
	return NULL;
}

/* A line that nothing is made of. Where it began a section, the keys below must
 * not land in the section before. */
static void
refuse_whole(struct config_lines *lines, struct slice line, const char *why)
{
	refuse(lines, why);
	if (line.len > 0 && line.at[0] == '[')
		lines->section(lines->arg, SLICE_NONE);
}

/* True when inih shall have the line. */
static bool
judge(struct config_lines *lines, struct slice line)
{
	const char *why;

	if (has_control(line)) {
		refuse_whole(lines, line, "control byte in the line");
		return false;
	}
	if (line.len > CONFIG_LINE_MAX) {
		refuse_whole(lines, line,
		    "line longer than 198 bytes: break it up; a list may go "
		    "on by repeating its key");
		return false;
	}
	if (line.len == 0 || line.at[0] == ';' || line.at[0] == '#')
		return false;
	if (line.at[0] == '[') {
		take_header(lines, line);
		return false;
	}
	why = read_pair(line);
	if (why != NULL)
		refuse(lines, why);
	return why == NULL;
}

char *
config_lines_next(char *out, int size, void *source)
{
	struct config_lines *lines = source;
	struct slice line;

	if (!take_line(lines, &line))
		return NULL;
	if (!judge(lines, line))
		line.len = 0;
	/* Only an inih built for shorter lines than any distributor's. */
	if (line.len + 2 > (size_t)size) {
		refuse(lines, "line longer than this build of inih takes");
		line.len = 0;
	}
	if (line.len > 0)
		memcpy(out, line.at, line.len);
	memcpy(out + line.len, "\n", 2);
	return out;
}

/* 0, or an errno. size: what the file seems to have; any may be wrong. */
static int
read_all(int fd, size_t size, struct slice *text)
{
	size_t cap = size + 1, len = 0;
	char *bytes = mem_alloc(cap);
	ssize_t n;

	while ((n = read(fd, bytes + len, cap - len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || len + (size_t)n > CONFIG_FILE_MAX) {
			int error = n < 0 ? errno : EFBIG;

			free(bytes);
			return error;
		}
		len += (size_t)n;
		if (len == cap) {
			cap = cap < READ_AT_ONCE ? READ_AT_ONCE : cap * 2;
			bytes = mem_realloc(bytes, cap);
		}
	}
	*text = (struct slice){bytes, len};
	return 0;
}

static int
load(int fd, struct slice *text)
{
	struct stat what;

	if (fstat(fd, &what) != 0)
		return errno;
	if (S_ISDIR(what.st_mode))
		return EISDIR;
	if (what.st_size > (off_t)CONFIG_FILE_MAX)
		return EFBIG;
	return read_all(fd, (size_t)what.st_size, text);
}

bool
config_lines_load(const char *path, struct slice *text, const char **error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), failed;

	*text = SLICE_NONE;
	if (fd < 0) {
		*error = strerror(errno);
		return false;
	}
	failed = load(fd, text);
	close(fd);
	if (failed == EISDIR)
		*error = "it is a directory, not a file";
	else if (failed == EFBIG)
		*error = "larger than 64m";
	else if (failed != 0)
		*error = strerror(failed);
	return failed == 0;
}

/* The pattern in that folder; what glob would take for a sign in the folder's
 * own name is escaped. */
static char *
pattern_beside(const char *beside, struct slice pattern)
{
	const char *slash = strrchr(beside, '/');
	size_t i, n = 0, folder = 0;
	char *out;

	if (slash != NULL && !slice_starts(pattern, SLICE("/")))
		folder = (size_t)(slash + 1 - beside);
	out = mem_alloc(2 * folder + pattern.len + 1);
	for (i = 0; i < folder; i++) {
		if (strchr("*?[\\", beside[i]) != NULL)
			out[n++] = '\\';
		out[n++] = beside[i];
	}
	memcpy(out + n, pattern.at, pattern.len);
	return out;
}

bool
config_paths_add(
    struct config_paths *paths, const char *beside, struct slice pattern)
{
	char *text = pattern_beside(beside, pattern);
	glob_t found = {.gl_pathc = 0};
	bool good = glob(text, 0, NULL, &found) == 0;
	size_t i;

	free(text);
	if (good) {
		paths->list = mem_realloc(paths->list,
		    (paths->count + found.gl_pathc) * sizeof(*paths->list));
		for (i = 0; i < found.gl_pathc; i++)
			paths->list[paths->count++] =
			    mem_strdup(found.gl_pathv[i]);
	}
	globfree(&found);
	return good;
}

bool
config_paths_is_pattern(struct slice pattern)
{
	return slice_find(pattern, '*', 0) < pattern.len ||
	       slice_find(pattern, '?', 0) < pattern.len ||
	       slice_find(pattern, '[', 0) < pattern.len;
}

static int
compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
config_paths_sort(struct config_paths *paths, const char *without)
{
	unsigned i, kept = 0;

	if (paths->count > 1)
		qsort(paths->list, paths->count, sizeof(*paths->list),
		    compare_paths);
	for (i = 0; i < paths->count; i++) {
		char *path = paths->list[i];

		if (strcmp(path, without) == 0 ||
		    (kept > 0 && strcmp(paths->list[kept - 1], path) == 0))
			free(path);
		else
			paths->list[kept++] = path;
	}
	paths->count = kept;
}

void
config_paths_done(struct config_paths *paths)
{
	unsigned i;

	for (i = 0; i < paths->count; i++)
		free(paths->list[i]);
	free(paths->list);
}
