// SPDX-License-Identifier: LGPL-2.1-or-later
/* Work for the TCG plugin: one task due at a time, worker asleep. */
#include "bench.h"

#define TASKS	200

int bench_callback(void)
{
	const struct session_opts opts = { .tasks = TASKS };
	struct schedule schedule;
	struct samples error;
	struct session s;
	int ret;

	ret = samples_init(&error, TASKS);
	if (ret < 0)
		return ret;
	ret = session_open(&s, &opts);
	if (ret < 0)
		goto out;
	schedule = schedule_make(1000, TASKS);
	ret = session_run(&s, &schedule, &error);
	session_close(&s);
out:
	samples_free(&error);
	return ret;
}
