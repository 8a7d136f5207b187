/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A pool of workers that steal tasks from each other.
 *
 * A task is a function and a copy of its arguments.  A worker runs the highest level
 * that it has, the newest task first; a worker that has none steals the oldest of
 * another, the highest level first, from the nearest first.  Within a level those with a
 * deadline go first, the earliest of all, and there is no other order: what must come in
 * order goes to a strand.  On a handle a task may have a time to begin at.
 *
 * Waiting: a worker that waits, for a group or a task, runs other tasks meanwhile.  Any
 * other thread sleeps.
 *
 * Threads: all calls but hft_pool_close() may be made from any thread at a time, and
 * from tasks.  hft_spawn() from a worker is wait-free, but for new memory and for waking
 * a worker that sleeps; from other threads it is lock-free.
 *
 * On a handle of the backend sim (hft_pool_opts.hft) the workers are threads of the
 * simulated machine, each with a CPU of its own, and all of the above is in its time: a task
 * takes as long as it spins by hft_spin_until(), and nothing else takes any.  What happens
 * depends on the machine's seed and the calls alone.  All calls are for the thread that
 * uses the machine; where they wait they let time go by, and are -EDEADLK if nothing will
 * happen any more, -EBUSY in a body of a ring's worker.  A task that ends its thread ends
 * that one.  Who uses a machine may use other pools, too: where it waits for these it has
 * their time, and the machine's stands still.
 *
 * Fork: a child has none of the workers.  There what would have a task run, or waits for
 * one, is -EOWNERDEAD, and the memory of a pool that is closed stays.
 *
 * Errors: as in hft/hft.h; hft_strerror() tells the reason of those of opening a pool
 * and of adding workers.
 */
#ifndef HFT_POOL_H
#define HFT_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hft/affinity.h>
#include <hft/topology.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hft;
struct hft_pool;
struct hft_resource;

#define HFT_POOL_WORKERS_MAX	256	/* of a pool, at a time */
#define HFT_SPAWN_ARGS_MAX	1024	/* bytes; up to 48 have room in the task */

/* hft_pool_opts.flags */
#define HFT_POOL_UNPINNED	(1U << 0)	/* workers run on any CPU that the caller may */
#define HFT_POOL_QUIET		(1U << 1)	/* who goes to sleep interrupts nobody */
						/* (membarrier(2)): each spawn has a fence */
#define HFT_POOL_INHERIT	(1U << 2)	/* a worker whose task has a resource that one of */
						/* a higher level waits for has the real-time */
						/* priority of that, as far as it may */

struct hft_pool_opts {
	size_t sz;
	uint32_t workers;		/* 0: one for each CPU that the caller may run on */
	uint32_t flags;			/* HFT_POOL_* */
	const uint32_t *cpus;		/* of each worker; NULL: those that the caller may, */
					/* one after the other */
	uint64_t spin_ns;		/* how long a worker looks for tasks before it sleeps; */
					/* HFT_SPIN_FOREVER: it does not */
	struct hft *hft;		/* whose clock and CPUs the pool has, and where its tasks */
					/* wait for their time; it outlives the pool.  NULL: */
					/* the process's, and no task has a time */
	uint32_t reserved;		/* so many, the last of them, take only tasks that are */
					/* spawned to them, and what these spawn: fewer than */
					/* all */
	const struct hft_place_opts *place;	/* each worker's CPU is as hft_place() says, */
					/* instead of @cpus; 0 workers: as many as can be */
					/* placed.  Its topology, if one is given, outlives */
					/* the pool */
};

int hft_pool_open(struct hft_pool **pool, const struct hft_pool_opts *opts);
void hft_pool_close(struct hft_pool *pool);
int hft_pool_add_worker(struct hft_pool *pool, uint32_t cpu);
int hft_pool_remove_worker(struct hft_pool *pool, uint32_t worker);
int hft_pool_remove_worker_timed(struct hft_pool *pool, uint32_t worker, uint64_t timeout);
int hft_pool_worker(void);
uint32_t hft_pool_workers(struct hft_pool *pool);
int hft_pool_distance(struct hft_pool *pool, uint32_t from, uint32_t to);

/* What a task runs; @args is its copy.  A negative result is an errno: it has failed. */
typedef int64_t (*hft_spawn_fn)(void *args);

/**
 * struct hft_group - tasks that are waited for together
 * @pool: of theirs
 * @owner: the thread that has initialised it, if it spawned before
 * @own: twice the tasks that this has spawned
 * @other: twice those that others have
 * @ended: twice those that have ended, and 1 if somebody waits for them
 * @error: the first failure
 *
 * Anywhere in memory, and only to be used by the calls below.  Its memory may be used
 * for something else as soon as hft_group_wait() has returned other than -ETIMEDOUT, and
 * nobody spawns into it.
 */
struct hft_group {
	struct hft_pool *pool;
	const void *owner;
	uint32_t own;
	uint32_t other;
	uint32_t ended;
	int32_t error;
};

/**
 * struct hft_token - tells tasks that they are not wanted any more
 * @cancelled: 1: they are not
 *
 * Of zeroes it is not cancelled.  It must live as long as the tasks that it is given to.
 */
struct hft_token {
	uint32_t cancelled;
};

/* A task whose end somebody wants to know of: hft_join() or hft_detach() it, once. */
struct hft_handle {
	void *work;
	uint32_t generation;
};

/**
 * struct hft_memory - what tasks touch, one after the other
 * @last: 1 + the worker that did so last; 0: none has
 * @miss_ns: what it costs to fetch it to another core
 *
 * Of zeroes but for @miss_ns, which may be stored to at any time, atomically.  It must live as
 * long as the tasks that it is given to.
 */
struct hft_memory {
	uint32_t last;
	uint32_t miss_ns;
};

#define HFT_SPAWN_RESOURCES_MAX	16

/**
 * struct hft_required - what a task declares that it needs
 * @resource: of hft/resource.h: it alone or, of several units, one of them
 * @shared: with others who share it
 */
struct hft_required {
	struct hft_resource *resource;
	bool shared;
};

struct hft_spawn_opts {
	size_t sz;
	struct hft_group *group;	/* NULL: none */
	struct hft_token *token;	/* cancelled before the task begins: it ends with */
					/* -ECANCELED */
	uint64_t expires;		/* CLOCK_MONOTONIC: a task that has not begun by then */
					/* ends with -ETIME; 0: never */
	uint32_t level;			/* 1 + enum hft_level; 0: HFT_LEVEL_NORMAL */
	uint32_t worker;		/* 1 + the worker, from which it is not stolen; 0: any */
	uint64_t deadline;		/* CLOCK_MONOTONIC: of its level the earliest goes first; */
					/* 0: none */
	struct hft_memory *memory;	/* that it touches: without a worker of its own it goes */
					/* to the one that did so last, unless what waits there */
					/* costs more than the miss; NULL: none */
	uint64_t cost_ns;		/* how long it is expected to run: counts in that if it */
					/* is one worker's */
	uint64_t release;		/* CLOCK_MONOTONIC: it begins then; 0: at once.  Of */
					/* pools on a handle */
	const struct hft_required *resources;	/* that it has before it begins, until it ends */
	uint32_t nr_resources;
	const struct hft_affinity *affinity;	/* without a worker of its own it goes to one of */
					/* those that this allows, from which it is not */
					/* stolen; NULL: anywhere */
};

int hft_spawn(struct hft_pool *pool, hft_spawn_fn fn, const void *args, size_t size);
int hft_spawn_opts(struct hft_pool *pool, hft_spawn_fn fn, const void *args, size_t size,
		   const struct hft_spawn_opts *opts, struct hft_handle *handle);
int hft_join(struct hft_handle *handle, uint64_t timeout, int64_t *result);
void hft_detach(struct hft_handle *handle);

void hft_group_init(struct hft_group *group, struct hft_pool *pool);
int hft_group_spawn(struct hft_group *group, hft_spawn_fn fn, const void *args, size_t size);
int hft_group_wait(struct hft_group *group, uint64_t timeout);

static inline void hft_token_cancel(struct hft_token *token)
{
	__atomic_store_n(&token->cancelled, 1, __ATOMIC_RELEASE);
}

static inline bool hft_token_is_cancelled(const struct hft_token *token)
{
	return __atomic_load_n(&token->cancelled, __ATOMIC_ACQUIRE);
}

struct hft_pool_stats {
	size_t sz;
	uint64_t spawned;		/* by the worker, or by threads that are none */
	uint64_t executed;
	uint64_t failed;		/* of those */
	uint64_t cancelled;		/* ended without being begun, or by their thread's end */
	uint64_t stolen;		/* from others */
	uint64_t failed_steals;		/* found no task, or lost a race for one */
	uint64_t parked;		/* times that it slept */
	uint64_t parked_ns;
	uint64_t depth;			/* tasks that wait, but for a time to come, or for the */
					/* first look of a worker, from outside */
	uint32_t cpu;
	uint32_t running;		/* it is at a task: at the same one as long as executed */
					/* stays what it is */
	uint64_t late;			/* tasks that have ended after their deadline */
};

#define HFT_POOL_ALL	(~0U)		/* the sum of all workers and other threads */

int hft_pool_stats(struct hft_pool *pool, uint32_t worker, struct hft_pool_stats *stats);

#ifdef __cplusplus
}
#endif

#endif /* HFT_POOL_H */
