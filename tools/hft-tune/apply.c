// SPDX-License-Identifier: LGPL-2.1-or-later
/* Making changes, and the child that undoes them. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <common/tool.h>

#include "hft-tune.h"

#define TELL_KEEP	'k'
#define TELL_RESTORE	'r'

static int apply_one(const struct plan *plan, struct state *state, const struct change *change)
{
	char now[VALUE_SIZE];
	int err = state_record(state, change->path, change->old, change->value);

	if (err)
		return fail(-err, "%s: %s stays %s: what was there can not be noted in %s",
			    change->name, change->path, change->old, state->dir);
	err = value_write(plan->root, change->path, change->value);
	if (!err)
		err = value_read(plan->root, change->path, now, sizeof(now));
	if (err)
		return fail(-err, "%s: %s stays %s", change->name, change->path, change->old);
	if (!value_same(change->path, now, change->value))
		return fail(0, "%s: %s became %s, not %s", change->name, change->path, now,
			    change->value);
	return 0;
}

int plan_apply(const struct plan *plan, struct state *state, bool verbose, bool (*stop)(void *arg),
	       void *arg)
{
	const struct change *change;
	int failed = 0;
	size_t i;

	for (i = 0; i < plan->nr && !stop(arg); i++) {
		change = &plan->changes[i];
		if (apply_one(plan, state, change))
			failed++;
		else if (verbose)
			printf("%s: %s: %s, was %s\n", change->name, change->path, change->value,
			       change->old);
	}
	return failed;
}

/* Its own session: a signal to the group of its parent does not come here. */
static void detach(void)
{
	static const int ignored[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGTTOU, SIGTTIN,
	};
	size_t i;

	setsid();
	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	prctl(PR_SET_NAME, "restore-tuning");
	if (chdir("/"))
		return;
}

static void __attribute__((noreturn)) watch(int fd, struct state *state)
{
	char told = 0;
	ssize_t got;
	int left;

	detach();
	do {
		got = read(fd, &told, 1);
	} while (got < 0 && errno == EINTR);
	if (got == 1 && told == TELL_KEEP)
		_exit(0);
	if (got != 1)
		fprintf(stderr, "hft-tune was killed: restoring what it changed\n");
	left = state_restore(state, false);
	_exit(left ? 1 : 0);
}

int watcher_start(struct watcher *watcher, struct state *state)
{
	int fds[2], err;

	watcher->pid = 0;
	if (pipe2(fds, O_CLOEXEC))
		return fail(errno, "a pipe");
	fflush(NULL);
	watcher->pid = fork();
	if (watcher->pid < 0) {
		err = errno;
		watcher->pid = 0;
		close(fds[0]);
		close(fds[1]);
		return fail(err, "a watcher");
	}
	if (!watcher->pid) {
		close(fds[1]);
		watch(fds[0], state);
	}
	close(fds[0]);
	watcher->pipe = fds[1];
	return 0;
}

void watcher_keep(struct watcher *watcher, struct state *state)
{
	if (!watcher->pid || waitpid(watcher->pid, NULL, WNOHANG) != watcher->pid)
		return;
	fail(0, "what watches it was killed: another takes its place");
	close(watcher->pipe);
	watcher_start(watcher, state);
}

static int restore_without(struct state *state, bool keep)
{
	return keep ? 0 : state_restore(state, false);
}

int watcher_end(struct watcher *watcher, struct state *state, bool keep)
{
	char tell = keep ? TELL_KEEP : TELL_RESTORE;
	int status = -1, pid;
	bool told;

	if (!watcher->pid)
		return restore_without(state, keep);
	told = write(watcher->pipe, &tell, 1) == 1;
	close(watcher->pipe);
	do {
		pid = waitpid(watcher->pid, &status, 0);
	} while (pid < 0 && errno == EINTR);
	if (told && pid == watcher->pid && WIFEXITED(status))
		return WEXITSTATUS(status);
	return restore_without(state, keep);
}
