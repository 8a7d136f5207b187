/* SPDX-License-Identifier: GPL-2.0-only */
/* What a reader of CTF that is not ours, babeltrace2, reads of a log. */
#ifndef HFT_HOST_LOG_CTF_H
#define HFT_HOST_LOG_CTF_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many events babeltrace2 reads below @path; -1: it says something, or fails. */
static inline int64_t babeltrace_count(const char *path)
{
	char command[1024], line[256];
	int64_t events = -1;
	FILE *pipe;

	snprintf(command, sizeof(command),
		 "babeltrace2 '%s' --component=sink.utils.counter --params=step=+0 2>&1", path);
	pipe = popen(command, "r");
	while (pipe && fgets(line, sizeof(line), pipe)) {
		long long count;

		if (strstr(line, "ERROR") || strstr(line, "WARN"))
			fprintf(stderr, "babeltrace2: %s", line);
		if (strstr(line, "Event message") && sscanf(line, "%lld", &count) == 1)
			events = count;
	}
	return pipe && !pclose(pipe) ? events : -1;
}

static inline int have_babeltrace(void)
{
	return !system("command -v babeltrace2 >/dev/null 2>&1");
}

/*
 * Where it is not installed, tests with more to look at pass without it: this one, of the same
 * program, is skipped then.  It tells what is no log, or the counts of the others are worth
 * nothing.
 */
static inline void test_babeltrace(void **unused)
{
	(void)unused;
	if (!have_babeltrace()) {
		print_message("# SKIP there is no babeltrace2, with which counts are compared\n");
		skip();
	}
	assert_int_equal(babeltrace_count("/nowhere"), -1);
}

#endif /* HFT_HOST_LOG_CTF_H */
