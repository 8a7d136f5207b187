// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>

#include "../options.h"
#include "runs.h"

int log_runs_add(struct log_runs *it, uint32_t number)
{
	struct log_run *run = it->nr ? &it->runs[it->nr - 1] : NULL;

	if (run && number == run->last + 1) {
		run->last = number;
		return 0;
	}
	run = realloc(it->runs, (it->nr + 1) * sizeof(*run));
	if (!run)
		return hft_fail(ENOMEM, "numbers of records");
	it->runs = run;
	run[it->nr++] = (struct log_run){ number, number };
	return 0;
}

bool log_runs_has(const struct log_runs *it, uint32_t number)
{
	size_t i;

	for (i = 0; i < it->nr; i++) {
		if (number - it->runs[i].first <= it->runs[i].last - it->runs[i].first)
			return true;
	}
	return false;
}

uint32_t log_runs_next(const struct log_runs *it, uint32_t first, uint32_t unknown)
{
	uint32_t next = unknown, behind;
	bool found = false;
	size_t i;

	if (log_runs_has(it, first))
		return first;
	for (i = 0; i < it->nr; i++) {
		behind = it->runs[i].last + 1;
		if ((int32_t)(first - behind) < 0 || (found && (int32_t)(behind - next) < 0))
			continue;
		next = behind;
		found = true;
	}
	return next;
}

void log_runs_free(struct log_runs *it)
{
	free(it->runs);
	*it = (struct log_runs){ .runs = NULL };
}
