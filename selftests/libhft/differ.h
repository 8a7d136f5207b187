/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random sequences of operations whose outcome does not depend on how fast a machine
 * is: what is due has been for long, what is not will not be while the test lasts.  On
 * CLOCK_MONOTONIC that is the first moments of the boot and some years on; on the wall
 * clocks it is half a step to either side, and periods are steps.
 */
#ifndef SELFTESTS_LIBHFT_DIFFER_H
#define SELFTESTS_LIBHFT_DIFFER_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <hft/hft.h>

#include "../../libhft/src/random.h"

#define NSEC_PER_SEC	1000000000ULL

#define RINGS		8
#define TASKS		24
#define OPS		32
#define BATCH		40		/* more than are queued at a time */
#define NUMBERS		(OPS * BATCH)

#define FAR		100000000000000000ULL
#define FAR_PERIOD	10000000000000000ULL
#define STEP		(1000 * NSEC_PER_SEC)

enum kind { SUBMIT, BATCHED, CANCEL, MODIFY, INFO, CONSUME, WAIT, HALT, STATS, KINDS };

static const char *const kind_names[KINDS] = {
	"submit", "batch", "cancel", "modify", "info", "consume", "wait", "halt", "stats",
};

/**
 * struct op - an operation
 * @kind: what is done
 * @ring: to which ring, by number
 * @number: to which task: a task's number is its cookie, and its place in the sequence
 * @nr: how many tasks
 * @mode: of a halt
 * @modify: all but the task's id
 * @tasks: what is submitted; in after the number of a task, if there is one
 */
struct op {
	enum kind kind;
	uint32_t ring;
	uint32_t number;
	uint32_t nr;
	uint32_t mode;
	struct hft_modify modify;
	struct hft_task tasks[BATCH];
};

/* A draw of operations: @wall is what the clocks say. */
struct draw {
	uint64_t random;
	uint64_t wall[HFT_CLOCKS];
	uint32_t numbers[NUMBERS];
	uint8_t clocks[NUMBERS];
	uint32_t nr;
};

static inline uint32_t draw_below(struct draw *d, uint32_t limit)
{
	return random_below(&d->random, limit);
}

static inline bool draw_one_in(struct draw *d, uint32_t n)
{
	return !draw_below(d, n);
}

static inline uint64_t draw_time(struct draw *d, uint8_t clock)
{
	uint64_t k = draw_below(d, 4);
	bool past = draw_below(d, 3);

	if (clock == HFT_CLOCK_MONOTONIC)
		return past ? 1 + k : FAR + k * NSEC_PER_SEC;
	return past ? d->wall[clock] - STEP / 2 - k * STEP : d->wall[clock] + STEP / 2 + k * STEP;
}

static inline uint64_t draw_deadline(struct draw *d, uint8_t clock, uint64_t release)
{
	uint64_t deadline = draw_time(d, clock);

	if (draw_one_in(d, 3))
		return 0;
	return deadline > release ? deadline : release;
}

static inline uint64_t period_of(uint8_t clock)
{
	return clock == HFT_CLOCK_MONOTONIC ? FAR_PERIOD : STEP;
}

static inline void draw_flags(struct draw *d, struct hft_task *task)
{
	static const uint32_t overruns[] = { 0, HFT_TASK_CATCH_UP, HFT_TASK_COALESCE };

	if (draw_one_in(d, 2))
		task->flags |= HFT_TASK_TRACK;
	if (draw_one_in(d, 6))
		task->flags |= HFT_TASK_REDUCE;
	if (task->deadline && draw_one_in(d, 3))
		task->flags |= HFT_TASK_WATCH | (draw_one_in(d, 2) ? HFT_TASK_DROP : 0);
	if (draw_one_in(d, 3)) {
		task->flags |= HFT_TASK_PERIODIC | overruns[draw_below(d, 3)];
		task->flags |= draw_one_in(d, 8) ? HFT_TASK_NO_ADMIT : 0;
		task->period = period_of(task->clock);
	} else if (draw_one_in(d, 4)) {
		task->period = 1 + draw_below(d, 1000);
	}
	if (draw_one_in(d, 2))
		task->wcet = task->period ? task->period / 100 * draw_below(d, 60) :
			     draw_below(d, 1000000);
}

/* After one of the sequence's tasks, most often a late one, on any ring. */
static inline void draw_after(struct draw *d, struct hft_task *task)
{
	uint32_t last = d->nr < 4 ? d->nr : 4;

	task->after = d->numbers[d->nr - 1 - draw_below(d, last)];
	if (!draw_one_in(d, 16))
		task->flags &= ~(HFT_TASK_PERIODIC | HFT_TASK_CATCH_UP | HFT_TASK_COALESCE |
				 HFT_TASK_NO_ADMIT);
	task->flags |= HFT_TASK_TRACK;
}

/* Something is wrong with it, or else as odd as it may be. */
static inline void draw_fault(struct draw *d, struct hft_task *task)
{
	switch (draw_below(d, 12)) {
	case 0:
		task->ring = RINGS + draw_below(d, 80);
		break;
	case 1:
		task->level = HFT_LEVELS + draw_below(d, 200);
		break;
	case 2:
		task->clock = HFT_CLOCKS + draw_below(d, 200);
		break;
	case 3:
		task->flags = 1U << draw_below(d, 32);
		break;
	case 4:
		task->deadline = task->release - 1;
		break;
	case 5:
		task->release = HFT_TIME_MAX + draw_below(d, 2);
		break;
	case 6:
		task->deadline = HFT_TIME_MAX + draw_below(d, 2);
		break;
	case 7:
		task->reserved1 = 1;
		break;
	case 8:
		task->reserved2 = 1;
		break;
	case 9:
		task->period = HFT_TIME_MAX + draw_below(d, 2);
		break;
	case 10:
		task->wcet = HFT_TIME_MAX + draw_below(d, 2);
		break;
	case 11:
		task->period = HFT_PERIOD_MIN - 1;
		break;
	}
}

/* Most go to the ring of the operation. */
static inline struct hft_task draw_task(struct draw *d, uint32_t ring, uint32_t number)
{
	struct hft_task task = {
		.cookie = number,
		.ring = draw_one_in(d, 4) ? draw_below(d, RINGS) : ring,
		.clock = draw_one_in(d, 3) ? draw_below(d, HFT_CLOCKS) : HFT_CLOCK_MONOTONIC,
		.level = draw_one_in(d, 2) ? draw_below(d, HFT_LEVELS) : HFT_LEVEL_NORMAL,
	};

	task.release = draw_time(d, task.clock);
	task.deadline = draw_deadline(d, task.clock, task.release);
	if (draw_one_in(d, 2))
		draw_flags(d, &task);
	if (d->nr && draw_one_in(d, 3))
		draw_after(d, &task);
	d->numbers[d->nr] = number;
	d->clocks[d->nr++] = task.clock;
	if (draw_one_in(d, 16))
		draw_fault(d, &task);
	return task;
}

static inline uint32_t draw_batch_size(struct draw *d)
{
	return draw_one_in(d, 8) ? 1 + draw_below(d, BATCH) : 1 + draw_below(d, 8);
}

/*
 * A batch may be queued in parts, with time for interrupts in between: so none of its
 * tasks needs one, for a deadline or for a release after the first.
 */
static inline void draw_tasks(struct draw *d, struct op *op, uint32_t number)
{
	uint32_t i;

	op->nr = op->kind == BATCHED ? draw_batch_size(d) : 1;
	for (i = 0; i < op->nr; i++) {
		struct hft_task *task = &op->tasks[i];

		*task = draw_task(d, op->ring, number + i);
		if (op->nr == 1)
			continue;
		task->flags &= ~(HFT_TASK_WATCH | HFT_TASK_DROP);
		if (task->flags & HFT_TASK_PERIODIC && task->period == STEP)
			task->period = FAR_PERIOD;
	}
}

static inline void draw_modify(struct draw *d, struct op *op, uint8_t clock)
{
	struct hft_modify *modify = &op->modify;

	*modify = (struct hft_modify){ .fields = 1 + draw_below(d, 15) };
	if (draw_one_in(d, 2))
		modify->fields = HFT_MODIFY_RELEASE | HFT_MODIFY_DEADLINE;
	modify->level = draw_below(d, HFT_LEVELS);
	modify->release = draw_time(d, clock);
	modify->deadline = draw_deadline(d, clock, modify->release);
	modify->period = period_of(clock);
	if (!draw_one_in(d, 20))
		return;
	if (draw_one_in(d, 2))
		modify->fields = draw_below(d, 64);
	else
		modify->level += draw_below(d, HFT_LEVELS);
}

static inline enum kind draw_kind(struct draw *d)
{
	static const uint8_t weights[KINDS] = {
		[SUBMIT] = 32, [BATCHED] = 8, [CANCEL] = 10, [MODIFY] = 12, [INFO] = 9,
		[CONSUME] = 16, [WAIT] = 4, [HALT] = 7, [STATS] = 2,
	};
	uint32_t at = draw_below(d, 100);
	enum kind kind;

	for (kind = 0; at >= weights[kind]; kind++)
		at -= weights[kind];
	return kind;
}

/* One of the sequence's tasks, most often a late one; or one that never was. */
static inline void draw_target(struct draw *d, struct op *op)
{
	uint32_t last = d->nr < 4 ? d->nr : 4;
	uint32_t which;

	if (!d->nr || draw_one_in(d, 32)) {
		op->number = NUMBERS;
		draw_modify(d, op, HFT_CLOCK_MONOTONIC);
		return;
	}
	which = draw_one_in(d, 2) ? draw_below(d, d->nr) : d->nr - 1 - draw_below(d, last);
	op->number = d->numbers[which];
	draw_modify(d, op, d->clocks[which]);
}

/*
 * Returns how many operations there are.  They are to few rings, so that these fill up,
 * and a consumer who is at it goes on.
 */
static inline uint32_t draw_ops(struct draw *d, struct op *ops)
{
	uint32_t nr = 4 + draw_below(d, OPS - 3), first = draw_below(d, RINGS), i;

	for (i = 0; i < nr; i++) {
		struct op *op = &ops[i];

		*op = (struct op){ .kind = draw_kind(d) };
		op->ring = (first + draw_below(d, 4) / 3) % RINGS;
		if (i && ops[i - 1].kind == CONSUME && draw_below(d, 3)) {
			op->kind = CONSUME;
			op->ring = ops[i - 1].ring;
		}
		switch (op->kind) {
		case SUBMIT:
		case BATCHED:
			draw_tasks(d, op, i * BATCH);
			break;
		case CANCEL:
		case MODIFY:
		case INFO:
			draw_target(d, op);
			break;
		case HALT:
			op->mode = draw_below(d, HFT_HALT_CANCEL + 1);
			if (draw_one_in(d, 3))
				op->mode = HFT_HALT_NONE;
			break;
		default:
			break;
		}
	}
	return nr;
}

static inline void print_task(const struct hft_task *task)
{
	printf("#      task %" PRIu64 ": ring %u clock %u level %u release %" PRIu64
	       " deadline %" PRIu64 " flags 0x%x period %" PRIu64 " wcet %" PRIu64
	       " reserved %u %u after %" PRIu64 "\n", (uint64_t)task->cookie, task->ring, task->clock, task->level,
	       (uint64_t)task->release, (uint64_t)task->deadline, task->flags,
	       (uint64_t)task->period, (uint64_t)task->wcet, task->reserved1, task->reserved2,
	       (uint64_t)task->after);
}

static inline void print_op(const struct op *op, uint32_t index)
{
	const struct hft_modify *modify = &op->modify;
	uint32_t i;

	printf("#   %2u %s", index, kind_names[op->kind]);
	switch (op->kind) {
	case SUBMIT:
	case BATCHED:
		putchar('\n');
		for (i = 0; i < op->nr; i++)
			print_task(&op->tasks[i]);
		return;
	case MODIFY:
		printf(" task %u: fields 0x%x level %u release %" PRIu64 " deadline %" PRIu64
		       " period %" PRIu64 "\n", op->number, modify->fields, modify->level,
		       (uint64_t)modify->release, (uint64_t)modify->deadline,
		       (uint64_t)modify->period);
		return;
	case CANCEL:
	case INFO:
		printf(" task %u\n", op->number);
		return;
	case HALT:
		printf(" mode %u\n", op->mode);
		return;
	default:
		printf(" ring %u\n", op->ring);
	}
}

#endif /* SELFTESTS_LIBHFT_DIFFER_H */
