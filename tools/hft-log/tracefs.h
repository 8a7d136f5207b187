/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An instance of the kernel's tracing, of this process: buffers, events and a clock of its own,
 * which nobody else's tracing is touched by.  One that a killed process has left is removed by
 * the next.
 */
#ifndef HFT_LOG_TRACEFS_H
#define HFT_LOG_TRACEFS_H

#include <limits.h>
#include <stddef.h>

/**
 * struct tracefs - an instance
 * @root: where tracefs is mounted
 * @dir: of the instance; "": there is none
 * @held: a file of it that is open, so that nobody can remove it
 */
struct tracefs {
	char root[PATH_MAX / 2];
	char dir[PATH_MAX];
	int held;
};

/* What fails here is told. */
int tracefs_open(struct tracefs *tracefs);
int tracefs_close(struct tracefs *tracefs);

/* A file of the instance: opened, written, or read in whole, with a NUL behind it. */
int tracefs_open_file(const struct tracefs *tracefs, const char *name, int flags);
int tracefs_write(const struct tracefs *tracefs, const char *name, const char *text);
char *tracefs_read(const struct tracefs *tracefs, const char *name, size_t *size);

typedef int (*tracefs_event_fn)(void *arg, const char *system, const char *name);

/* @pattern: SYSTEM, or SYSTEM:NAME, with * and ?; how many events fit, or what @fn answered. */
int tracefs_each_event(const struct tracefs *tracefs, const char *pattern, tracefs_event_fn fn,
		       void *arg);

#endif /* HFT_LOG_TRACEFS_H */
