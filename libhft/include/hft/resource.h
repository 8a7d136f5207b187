/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Resources that threads and tasks share: named, with priority inheritance, and with
 * deadlocks found before they happen.
 *
 * Who waits for a resource lends its level to those who hold it, and through what they
 * wait for in turn to others; with the release that is taken back, to what then is due.
 * The waiter of the highest level is the next to have the resource.  A worker of a pool
 * has the level of its task.
 *
 * A task can declare what it needs instead (hft_spawn_opts.resources): then no worker
 * waits, and it is in no cycle.
 *
 * A call that would wait for ever is -EDEADLK, with the names of the cycle, and nothing
 * has changed.  So is, of resources of %HFT_RESOURCE_ORDERED, one that takes them in an
 * order in which others could wait for ever, whether they do now or not.  A try waits for
 * nothing, and is never refused for that.
 *
 * Threads: all calls may be made from any thread; what a thread holds it must release
 * itself.  A resource without contention is a compare-and-exchange to have and another to
 * release.
 *
 * Errors: as in hft/hft.h, with a reason from hft_strerror().
 */
#ifndef HFT_RESOURCE_H
#define HFT_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/hft.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hft_resource;

#define HFT_RESOURCES_MAX	1024	/* in a process */
#define HFT_RESOURCES_HELD_MAX	64	/* by a thread at a time */
#define HFT_RESOURCE_UNITS_MAX	(1U << 20)

/* hft_resource_opts.flags */
#define HFT_RESOURCE_ORDERED	(1U << 0)	/* an order that could deadlock is -EDEADLK */
#define HFT_RESOURCE_NO_LENDING	(1U << 1)	/* who waits for it lends nothing to its holders */

struct hft_resource_opts {
	size_t sz;
	const char *name;		/* which is copied; NULL: its number */
	uint32_t units;			/* 1: so many may have one each; with 1 it may */
					/* be had shared, too */
	uint32_t ceiling;		/* 1 + enum hft_level that its holders have at least; */
					/* 0: none */
	uint32_t flags;			/* HFT_RESOURCE_* */
};

int hft_resource_open(struct hft_resource **resource, const struct hft_resource_opts *opts);
int hft_resource_close(struct hft_resource *resource);

int hft_resource_acquire(struct hft_resource *resource);
int hft_resource_try(struct hft_resource *resource);
int hft_resource_timed(struct hft_resource *resource, uint64_t timeout);
int hft_resource_share(struct hft_resource *resource);
int hft_resource_try_share(struct hft_resource *resource);
int hft_resource_timed_share(struct hft_resource *resource, uint64_t timeout);
int hft_resource_release(struct hft_resource *resource);

/* hft_resource_thread() */
#define HFT_RESOURCE_SCHED	(1U << 0)	/* a level is a priority of the thread, too */

int hft_resource_thread(enum hft_level level, uint32_t flags);
enum hft_level hft_resource_level(void);

struct hft_resource_stats {
	size_t sz;
	uint64_t contended;		/* times that a thread, or a task, had to wait */
	uint64_t longest_ns;		/* that one has waited */
	uint64_t waiting_ns;		/* that the first of those who wait now has */
	uint32_t waiters;
	uint32_t holders;
	int32_t holder;			/* thread id of one of them; 0: nobody, or a task that */
					/* has not begun */
	uint32_t highest;		/* enum hft_level of those who wait */
};

int hft_resource_stats(struct hft_resource *resource, struct hft_resource_stats *stats);

/**
 * struct hft_resource_stall - a thread that waits for long
 * @resource: name of what it waits for
 * @waiter: its thread id
 * @holder: of one who holds it
 * @waiting_ns: for so long
 * @foreign: the holder sleeps, and waits for no resource: it may be behind a lock that is
 *	none of ours
 */
struct hft_resource_stall {
	const char *resource;
	int32_t waiter;
	int32_t holder;
	uint64_t waiting_ns;
	bool foreign;
};

typedef void (*hft_resource_stall_fn)(const struct hft_resource_stall *stall, void *arg);

int hft_resource_stalls(uint64_t longer_ns, hft_resource_stall_fn fn, void *arg);

#ifdef __cplusplus
}
#endif

#endif /* HFT_RESOURCE_H */
