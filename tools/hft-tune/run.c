// SPDX-License-Identifier: LGPL-2.1-or-later
/* The ways to run: for a command, until restored, restoring, looking. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/wait.h>

#include <common/tool.h>

#include "hft-tune.h"

#define EXIT_NOT_RUN	126
#define EXIT_NO_COMMAND	127

/**
 * struct session - a run that changes things
 * @state: of what it has changed
 * @watcher: of it
 * @set: signals that end it, blocked and waited for
 * @old: mask
 * @ended: the signal that came; 0: none
 */
struct session {
	struct state state;
	struct watcher watcher;
	sigset_t set;
	sigset_t old;
	int ended;
};

static void block_signals(struct session *session)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD };
	size_t i;

	sigemptyset(&session->set);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&session->set, signals[i]);
	sigprocmask(SIG_BLOCK, &session->set, &session->old);
	/* Who started us may have ignored it, and then children leave no status. */
	signal(SIGCHLD, SIG_DFL);
	/* A reader of the output that has gone is an error of a write, not our end. */
	signal(SIGPIPE, SIG_IGN);
}

/* Has a signal come that asks for the end? */
static bool is_ended(void *arg)
{
	const struct timespec none = { 0 };
	struct session *session = arg;
	sigset_t set = session->set;
	int number;

	sigdelset(&set, SIGCHLD);
	number = sigtimedwait(&set, NULL, &none);
	if (number > 0)
		session->ended = number;
	return session->ended;
}

static void run_child(const struct session *session, char **command)
{
	int err;

	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &session->old, NULL);
	execvp(command[0], command);
	err = errno;
	fail(err, "%s", command[0]);
	_exit(err == ENOENT ? EXIT_NO_COMMAND : EXIT_NOT_RUN);
}

static bool reap(int pid, int *status)
{
	return waitpid(pid, status, WNOHANG) == pid;
}

/* What a terminal sends has come to the command as well; what a process sends is handed on. */
static int wait_for(struct session *session, int pid)
{
	siginfo_t info;
	int status;

	while (!reap(pid, &status)) {
		if (sigwaitinfo(&session->set, &info) < 0)
			continue;
		if (info.si_signo == SIGCHLD)
			watcher_keep(&session->watcher, &session->state);
		else if (info.si_code != SI_KERNEL)
			kill(pid, info.si_signo);
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int start_and_wait(struct session *session, char **command)
{
	int pid = fork();

	if (pid < 0) {
		fail(errno, "%s", command[0]);
		return EXIT_NOT_RUN;
	}
	if (!pid)
		run_child(session, command);
	return wait_for(session, pid);
}

/* The lock, nothing left over of another run, and a watcher. */
static int begin(struct session *session, const char *root)
{
	struct state *state = &session->state;
	int err;

	*session = (struct session){ .ended = 0 };
	err = state_lock(state, root);
	if (err)
		return err;
	if (state_exists(state)) {
		state_unlock(state);
		return fail(EEXIST, "what another run has changed is not restored (%s/state): hft-tune --restore",
			    state->dir);
	}
	block_signals(session);
	err = watcher_start(&session->watcher, state);
	if (err)
		state_unlock(state);
	return err;
}

/* As watcher_end(). */
static int finish(struct session *session, bool keep)
{
	int left = watcher_end(&session->watcher, &session->state, keep);

	state_unlock(&session->state);
	return left;
}

int run_command(const struct plan *plan, char **command, bool verbose)
{
	struct session session;
	int status;

	if (begin(&session, plan->root))
		return EXIT_TUNE;
	plan_apply(plan, &session.state, verbose, is_ended, &session);
	fflush(stdout);
	status = session.ended ? 128 + session.ended : start_and_wait(&session, command);
	return finish(&session, false) ? EXIT_TUNE : status;
}

int run_apply(const struct plan *plan, bool verbose)
{
	struct session session;
	int failed;

	if (begin(&session, plan->root))
		return EXIT_TUNE;
	failed = plan_apply(plan, &session.state, verbose, is_ended, &session);
	if (session.ended)
		return finish(&session, false) ? EXIT_TUNE : 128 + session.ended;
	finish(&session, true);
	printf("%zu changes, %d failed; hft-tune --restore undoes them\n", plan->nr, failed);
	return failed || plan->err ? 1 : 0;
}

/* To be killed here does no harm: the file stays until all is restored. */
int run_restore(const char *root)
{
	struct state state;
	int left;

	if (state_lock(&state, root))
		return EXIT_TUNE;
	left = state_restore(&state, true);
	state_unlock(&state);
	return left ? 1 : 0;
}

static int print_record(void *arg, const char *path, const char *old, const char *value)
{
	char now[VALUE_SIZE];
	int err = value_read(arg, path, now, sizeof(now));

	printf("%s: was %s, set to %s, is %s\n", path, old, value, err ? strerror(-err) : now);
	return 0;
}

int run_status(const char *root)
{
	struct state state = { .root = root, .lock = -1, .fd = -1 };
	int nr;

	if (snprintf(state.dir, sizeof(state.dir), "%s" STATE_DIR, root) >= (int)sizeof(state.dir))
		return EXIT_TUNE;
	nr = state_for_each(&state, print_record, (void *)root);
	if (nr < 0)
		return EXIT_TUNE;
	if (!nr)
		printf("nothing is changed\n");
	return nr ? 1 : 0;
}

int run_dry(const struct plan *plan)
{
	size_t i;

	for (i = 0; i < plan->nr; i++)
		printf("%s: echo %s > %s%s (now %s)\n", plan->changes[i].name,
		       plan->changes[i].value, plan->root, plan->changes[i].path,
		       plan->changes[i].old);
	return plan->err ? 1 : 0;
}
