/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sinks of hft: drivers of devices that are given tasks at the moment of their dispatch.
 *
 * A ring with HFT_RING_SINK has its tasks started by a sink in place of a worker: the
 * sink's ->dispatch() is called where an event would be written, and the event is written
 * when the sink says that the task is done.  See Documentation/sink.rst.
 */
#ifndef LINUX_HFT_SINK_H
#define LINUX_HFT_SINK_H

#include <linux/types.h>

struct hft_sink;
struct module;

/**
 * struct hft_sink_event - a task that a sink is given
 * @token: of this hand-over, for hft_sink_complete(); never 0
 * @cookie: the task's
 * @task: the task's id
 * @release: the task's, CLOCK_MONOTONIC
 * @deadline: likewise; 0: it has none
 * @irq_entry: CLOCK_MONOTONIC when the kernel began the dispatch
 * @level: the task's &enum hft_level
 * @task_class: the task's
 */
struct hft_sink_event {
	u64 token;
	u64 cookie;
	u64 task;
	u64 release;
	u64 deadline;
	u64 irq_entry;
	u8 level;
	u8 task_class;
};

/**
 * struct hft_sink_ops - what a driver does for hft
 * @owner: its module, which stays while rings have the sink
 * @dispatch: start a task, as soon as hft_register_sink() is called.  Called with interrupts
 *	off and a raw lock of the CPU's queue held, in hard interrupts too, and on several CPUs
 *	at a time for rings of several CPUs: it does not sleep, takes raw locks alone (on
 *	PREEMPT_RT others sleep) and calls none of the functions below.  0: it has the task, and
 *	says hft_sink_complete() once.  -EBUSY: not now; it is asked once more at once, since
 *	the sink may have completed another meanwhile, and then after the next completion of
 *	the sink, or hft_sink_kick().  Another negative errno: it never will; the task ends
 *	with that
 * @allow: may the caller have a ring with this sink?  In its context; may sleep.  Returns 0
 *	or a negative errno.  NULL: who has CAP_SYS_ADMIN may
 */
struct hft_sink_ops {
	struct module *owner;
	int (*dispatch)(struct hft_sink *sink, void *data, const struct hft_sink_event *event);
	int (*allow)(void *data);
};

struct hft_sink *hft_register_sink(const char *name, const struct hft_sink_ops *ops, u32 depth,
				   void *data);
void hft_unregister_sink(struct hft_sink *sink);
int hft_sink_complete(struct hft_sink *sink, u64 token, s32 result, u64 when);
void hft_sink_kick(struct hft_sink *sink);

#endif /* LINUX_HFT_SINK_H */
