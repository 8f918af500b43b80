/* SPDX-License-Identifier: ISC */
/* log: each message is one write(2), so that lines of several threads never
 * mix. What a caller forgot to escape can't forge a line or move a cursor. */
#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

static struct {
	const char *program; /* borrowed: a literal; NULL: no prefix */
	bool journal;
	_Atomic enum log_level level;
} sink = {.level = LOG_INFO};

static const struct {
	const char *word;
	int priority; /* sd-daemon(3) */
} levels[] = {
    [LOG_ERROR] = {"error", 3},
    [LOG_WARN] = {"warn", 4},
    [LOG_INFO] = {"info", 6},
    [LOG_DEBUG] = {"debug", 7},
};

int
log_level_parse(const char *word, enum log_level *out)
{
	size_t i;

	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(word, levels[i].word) == 0) {
			*out = (enum log_level)i;
			return true;
		}
	return false;
}

/* systemd tells which stream it reads: "device:inode" (systemd.exec(5)). */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return false;
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	return strcmp(stream, own) == 0;
}

void
log_open(const char *program, enum log_level level)
{
	sink.program = program;
	sink.journal = stderr_is_journal();
	log_set_level(level);
}

void
log_set_level(enum log_level level)
{
	atomic_store_explicit(&sink.level, level, memory_order_relaxed);
}

static size_t
put_prefix(char *line, size_t size, enum log_level level)
{
	int n = 0;

	if (sink.journal)
		n = snprintf(line, size, "<%d>", levels[level].priority);
	else if (sink.program != NULL)
		n = snprintf(line, size, "%.32s: %s: ", sink.program,
		    levels[level].word);
	return n > 0 ? (size_t)n : 0;
}

static void __attribute__((format(printf, 2, 0)))
print(enum log_level level, const char *fmt, va_list args)
{
	char line[LINE_MAX_BYTES];
	size_t start, i, end, room;
	int n;

	if (level > atomic_load_explicit(&sink.level, memory_order_relaxed))
		return;
	start = put_prefix(line, sizeof(line), level);
	room = sizeof(line) - start - 1;
	n = vsnprintf(line + start, room, fmt, args);
	end = start + (n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1);
	for (i = start; i < end; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[end++] = '\n';
	/* There is nobody to tell when this fails. */
	if (write(STDERR_FILENO, line, end) < 0)
		return;
}

void
log_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print(LOG_ERROR, fmt, args);
	va_end(args);
}

void
log_warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print(LOG_WARN, fmt, args);
	va_end(args);
}

void
log_info(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print(LOG_INFO, fmt, args);
	va_end(args);
}

void
log_debug(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print(LOG_DEBUG, fmt, args);
	va_end(args);
}

void
log_fatal(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print(LOG_ERROR, fmt, args);
	va_end(args);
	exit(EXIT_FAILURE);
}
