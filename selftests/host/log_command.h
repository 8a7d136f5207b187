/* SPDX-License-Identifier: GPL-2.0-only */
/* hft-log, run on the log of a test. */
#ifndef LOG_COMMAND_H
#define LOG_COMMAND_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tree.h"

/* Where it was not built @top goes, and the test is skipped. */
static inline int log_command(const char *arguments, const char *log, const char *top)
{
	const char *build = getenv("BUILD");
	char path[PATH_MAX], command[3 * PATH_MAX];
	int status;

	snprintf(path, sizeof(path), "%s/tools/hft-log", build ? build : "../build");
	if (access(path, X_OK)) {
		tree_remove(top);
		skip();
	}
	assert_true(snprintf(command, sizeof(command), "%s %s %s", path, arguments, log) <
		    (int)sizeof(command));
	status = system(command);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#endif /* LOG_COMMAND_H */
