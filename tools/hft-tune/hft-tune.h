/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What hft-tune changes, and how it can always be undone.
 *
 * Before a value is written, what was there stands in the state file, on its disk (fsync).
 * The file goes away only when all is restored.  So at each moment what is changed is a
 * part of what the file tells, and to restore twice does no harm.  The lock is held by who
 * changes and by its watcher, a child in a session of its own that restores when its parent
 * dies, and is gone when both are.
 */
#ifndef HFT_TUNE_H
#define HFT_TUNE_H

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

#define STATE_DIR	"/run/hft-tune"
#define STATE_DIR_SIZE	(PATH_MAX - 256)
#define VALUE_SIZE	4096	/* a list of all CPUs of a cpu_set_t, however they lie */
#define EXIT_TUNE	125	/* wrong usage, or nothing could be done */

/**
 * struct change - a file and what is to be in it
 * @name: of the setting that it belongs to
 * @path: below the root
 * @old: what is there when the change is planned
 * @value: wanted
 */
struct change {
	const char *name;
	char *path;
	char *old;
	char *value;
};

/**
 * struct plan - changes, in the order in which they are made
 * @root: prefix of their paths
 * @workers: CPUs that are to be left alone
 * @others: the rest of those online
 * @only: one bit for each setting that is wanted; 0: all
 * @changes: array
 * @nr: length
 * @err: why it is not complete
 */
struct plan {
	const char *root;
	cpu_set_t workers;
	cpu_set_t others;
	unsigned int only;
	struct change *changes;
	size_t nr;
	int err;
};

/* plan.c, settings.c: what differs from what is wanted.  Returns 0 or -errno, and said why. */
int plan_add(struct plan *plan, const char *name, const char *value, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
int plan_make(struct plan *plan);
void plan_free(struct plan *plan);
bool setting_select(const char *name, unsigned int *only);
void settings_print(void);

/* value.c: the word that counts of a file's first line, and a write that is one write(2). */
/* Returns -EMSGSIZE if it may not be all of it. */
int value_read(const char *root, const char *path, char *value, size_t size);
int value_write(const char *root, const char *path, const char *value);
bool value_same(const char *path, const char *a, const char *b);

/**
 * struct state - the state file and the lock
 * @root: prefix
 * @dir: folder of both
 * @lock: held while not -1
 * @fd: of the file, to append to; -1: there is none yet
 * @torn: its last line is not whole: nothing more can be noted
 */
struct state {
	const char *root;
	char dir[STATE_DIR_SIZE];
	int lock;
	int fd;
	bool torn;
};

typedef int (*state_fn)(void *arg, const char *path, const char *old, const char *value);

int state_lock(struct state *state, const char *root);
void state_unlock(struct state *state);
bool state_exists(const struct state *state);
int state_record(struct state *state, const char *path, const char *old, const char *value);

/* Call @fn for each record, the last first.  Returns how many, or -errno, and said why. */
int state_for_each(const struct state *state, state_fn fn, void *arg);

/* Restore all.  Returns how many could not be, and stay in the file, or -errno; said which. */
int state_restore(struct state *state, bool verbose);

/* apply.c: @stop is asked before each.  Returns how many failed; each was said. */
int plan_apply(const struct plan *plan, struct state *state, bool verbose, bool (*stop)(void *arg),
	       void *arg);

/**
 * struct watcher - the child that restores when this process dies
 * @pid: its; 0: there is none
 * @pipe: to it; it waits for the end of that
 */
struct watcher {
	int pid;
	int pipe;
};

int watcher_start(struct watcher *watcher, struct state *state);

/* After a child has ended: if it was the watcher, another takes its place. */
void watcher_keep(struct watcher *watcher, struct state *state);

/* Tell it to end, having restored what was changed unless @keep.  As state_restore(). */
int watcher_end(struct watcher *watcher, struct state *state, bool keep);

/* run.c: exit statuses */
int run_apply(const struct plan *plan, bool verbose);
int run_command(const struct plan *plan, char **command, bool verbose);
int run_restore(const char *root);
int run_status(const char *root);
int run_dry(const struct plan *plan);

#endif /* HFT_TUNE_H */
