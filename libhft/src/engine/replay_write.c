// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a replay has decided, in a log: events of tasks, as a record has them. */
#include <errno.h>
#include <sys/stat.h>

#include <hft/log.h>

#include "replay.h"

#define FLUSH_NS	30000000000ull

/*
 * As it was recorded, and in the same order; what the scheduler has chosen is its own: the
 * ring and number of the event, its times, level and result.  Ids and cookies of tasks are
 * those that were recorded of the task that it has chosen.
 */
static int write_dispatch(const struct replay *r, struct hft_record_log *log, size_t index)
{
	const struct hft_event *event = &r->decisions[index];
	const struct hft_record *task = &r->recording.records[r->tasks[event->cookie].record];
	const uint64_t words[HFT_RECORD_WORDS] = {
		event->published, r->recording.records[index].words[1], task->words[2],
		task->words[3], event->release, event->deadline, event->irq_entry,
		event->sequence, (uint64_t)(int64_t)event->result, event->type, event->clock,
		event->level,
	};

	log->order = index;
	return hft_record_log_add(log, HFT_RECORD_DISPATCH, words, NULL);
}

/* Likewise of a worker; which event of its ring there was is the same. */
static int write_choice(const struct replay *r, struct hft_record_log *log, size_t index)
{
	const struct hft_event *event = &r->decisions[index];
	const struct hft_record *record = &r->recording.records[index];
	const uint64_t words[HFT_RECORD_WORDS] = {
		record->words[0], record->words[1], record->words[2], event->sequence,
		event->cookie, event->release, event->deadline, event->level, record->words[8],
	};

	log->order = index;
	return hft_record_log_add(log, record->kind, words, NULL);
}

static int write_decision(const struct replay *r, struct hft_record_log *log, size_t index)
{
	return r->recording.records[index].kind == HFT_RECORD_DISPATCH ?
	       write_dispatch(r, log, index) : write_choice(r, log, index);
}

/* To a log of its own: not to the one that is replayed.  Returns 0, or as hft_fail(). */
int hft_replay_write(const struct replay *r)
{
	HFT_OPTS(hft_log_opts, opts, .block_ns = FLUSH_NS);
	struct hft_record_log to = { .handle = r->recording.handle };
	struct hft_log *log;
	int err, ret;
	size_t i;

	if (mkdir(r->opts.output, 0750))
		return hft_fail(errno, "make a log in %s", r->opts.output);
	err = hft_log_open(&log, r->opts.output, &opts);
	if (err)
		return err;
	for (i = 0; i < r->recording.nr && !err; i++) {
		if (r->decisions[i].type)
			err = write_decision(r, &to, i);
	}
	if (err)
		err = hft_fail(-err, "write to %s", r->opts.output);
	ret = hft_log_close(log);
	return err ? err : ret;
}
