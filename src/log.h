/* SPDX-License-Identifier: ISC */
/* log: the daemon's own messages, one line each, to stderr (the journal reads
 * it), lower case, no full stop, key=value. Access lines are record's. */
#ifndef LOG_H
#define LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* "error" "warn" "info" "debug"; false when the word is none of these. */
int log_level_parse(const char *word, enum log_level *out);
/* The only mutable global of the program. Call before threads start. */
void log_open(const char *program, enum log_level level);
void log_set_level(enum log_level level);
/* When stderr is the journal, lines carry <N> priorities (sd-daemon(3)). */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Logs and exits with status 1. */
void log_fatal(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), noreturn));

#endif
