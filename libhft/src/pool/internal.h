/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the pool share.
 *
 * Nothing takes a lock but adding and removing workers, and the ordered queues.  Barriers:
 *
 *   a task pushed, then the look at idle, of who spawns
 *	pairs with parked and idle, full fence, the look for tasks, of who is about to
 *	sleep: either that finds the task, or it is woken.  The fence of the first is the
 *	second's: it has the kernel make all threads of the process execute one
 *	(membarrier(2)).  With somebody asleep, or where the kernel can not, the first has
 *	its own
 *   searching let go, full fence, the look for tasks, of the last who searches
 *	pairs with that fence: who finds somebody searching leaves it to them
 *   the results of a task, then the count of its group, or its state
 *	pairs with the load-acquire of that by who waits
 */
#ifndef HFT_POOL_INTERNAL_H
#define HFT_POOL_INTERNAL_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <linux/hft.h>
#include <hft/hft.h>
#include <hft/pool.h>

#include "../api.h"
#include "../futex.h"
#include "../options.h"
#include "../self.h"
#include "call.h"
#include "deque.h"
#include "queue.h"
#include "slab.h"
#include "wait.h"

#define HFT_WORK_INLINE		48

/* hft_work.group: the group, and */
#define HFT_WORK_MORE		1UL	/* all of it is valid */
#define HFT_WORK_FLAGS		1UL

/* hft_work.state, besides HFT_WAIT_* */
#define HFT_WORK_DETACHED	4U

/**
 * struct hft_work_extra - what few tasks have
 * @token: or NULL
 * @expires: or 0
 * @memory: that it touches, or NULL
 * @cost: how long it is expected to run, ns
 * @owner: of what it has declared, or NULL
 * @home: it is its worker's for the memory alone
 * @release: or 0
 * @id: of the handle's task, while it waits for that
 * @work: whose this is, then
 * @next: of those that wait for theirs in the same ring
 * @link: to it
 */
struct hft_work_extra {
	struct hft_token *token;
	uint64_t expires;
	struct hft_memory *memory;
	uint64_t cost;
	struct hft_owner *owner;
	bool home;
	uint64_t release;
	uint64_t id;
	struct hft_work *work;
	struct hft_work_extra *next;
	struct hft_work_extra **link;
} __attribute__((aligned(64)));

/**
 * struct hft_work - a task
 * @fn: what it runs
 * @outer: once it runs: of those that wait for others in it, the one before
 * @args: with that, unless they are @big
 * @group: that it is of, and HFT_WORK_* flags
 * @next: in an inbox or a list
 * @result: of @fn
 * @item: in a queue
 * @big: arguments that have no room in @args, or NULL
 * @extra: what few tasks have, or NULL
 * @deadline: or 0
 * @state: HFT_WAIT_* bits and HFT_WORK_DETACHED; futex
 * @generation: of the memory: counts up as it is freed
 * @level: &enum hft_level
 * @handle: somebody has a handle: it is they who free it
 * @fixed: is its worker's alone
 * @worker: the number of that, in a queue
 * @queued: it waits in a queue; under the lock of that
 * @promised: there is room for it in a queue
 *
 * A task that a worker spawns without options has the first line alone, and no memory
 * behind it.  One that comes through an inbox has @next, @level and @fixed; the rest is
 * valid with %HFT_WORK_MORE.
 */
struct hft_work {
	union {
		hft_spawn_fn fn;
		struct hft_work *outer;
	};
	unsigned char args[HFT_WORK_INLINE];
	uintptr_t group;

	union {
		struct {
			struct hft_work *next;
			int64_t result;
		};
		struct hft_heap_item item;
	};
	void *big;
	struct hft_work_extra *extra;
	uint64_t deadline;
	_Atomic uint32_t state;
	_Atomic uint32_t generation;
	uint8_t level;
	bool handle;
	bool fixed;
	uint8_t worker;
	bool queued;
	bool promised;
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct hft_work) == 128, "a task has two lines");

#define HFT_WORK_PLAIN_SIZE	64
#define HFT_POST_SIZE		128

/* An inbox that is closed. */
#define HFT_INBOX_CLOSED	((struct hft_work *)1)

/**
 * struct hft_spawner - a thread that spawns tasks
 * @pool: into it; NULL: it is closed
 * @worker: that it is, or NULL
 * @plain: memory of its tasks that have the first line alone
 * @works: of the others
 * @args: of their arguments, if they are big
 * @extras: of what few of them have
 * @posts: of what it posts to strands
 * @spawned: how many there were
 * @turn: of the workers that a task with an affinity may go to, whose it is
 * @next: of all that are no workers
 * @thread: its thread's &hft_self; NULL: that has ended: it is the next one's that comes
 */
struct hft_spawner {
	struct hft_pool *pool;
	struct hft_pool_worker *worker;
	struct hft_slab plain;
	struct hft_slab works;
	struct hft_slab args;
	struct hft_slab extras;
	struct hft_slab posts;
	_Atomic uint64_t spawned;
	uint32_t turn;
	struct hft_spawner *next;
	const struct hft_self *thread;
};

struct hft_release;

struct hft_work_list {
	struct hft_work *first;
	struct hft_work **last;
};

/**
 * struct hft_pool_thread - a thread of a worker
 * @id: it
 * @stack: its own, with a guard page below
 * @simulated: instead of @id, of a machine
 * @lost: a task has ended it
 * @joined: it has ended
 * @next: one of before, which was lost
 *
 * A stack stays until the pool is closed if the thread was ended by a task: groups that
 * are on it may have tasks that do not know.
 */
struct hft_pool_thread {
	pthread_t id;
	void *stack;
	struct hft_sim_thread *simulated;
	bool lost;
	bool joined;
	struct hft_pool_thread *next;
};

enum hft_worker_life {
	HFT_WORKER_NONE,	/* there is no thread */
	HFT_WORKER_RUNS,
	HFT_WORKER_LEAVES,	/* as soon as it is at no task */
	HFT_WORKER_GONE,	/* its thread is about to end */
	HFT_WORKER_JOINED,	/* somebody waits for that */
};

/**
 * struct hft_pool_worker - a worker
 * @levels: deques that may have tasks; the owner's to write
 * @parked: it sleeps, or is about to; futex
 * @life: &enum hft_worker_life; futex
 * @waits_for: what it waits for, in a task
 * @inbox: tasks that are for it alone, newest first
 * @queue: those of them that have a deadline
 * @release: those that have a release, or NULL
 * @deques: its tasks, one a level
 * @self: it as a spawner
 * @number: of the pool's workers
 * @reserved: it takes only what is spawned to it, and what that spawns
 * @cpu: that it is pinned to
 * @node: of that, or %HFT_NONE
 * @home: 1 + the node that its memory is on, or 0: anywhere
 * @searching: counts in hft_pool.idle
 * @yields: its next task is the oldest
 * @stolen_at: when it has stolen the task that it is at, if that is timed, or 0
 * @steal_after: when it steals again
 * @steal_pause: how long it waits for that after a short task, ns
 * @ended: tasks of @ended_group that it has not told that they ended
 * @fixed_levels: of @fixed those that are not empty
 * @fixed: tasks that are for it alone, one list a level
 * @current: the task that it is at
 * @outer: tasks that wait for others, by their @outer: the innermost first
 * @calls: of the functions of others in its tasks, the innermost first
 * @threads: its threads; only the first may run
 * @blocked: signals, in each of them
 * @random: state of a generator
 * @distance: to each worker, smaller is nearer
 * @expected: how long what is its alone will run, and has not ended, ns
 *
 * From @deques on it is the owner's, but for the deques' thieves and the counters.
 * The memory stays until the pool is closed: a thief may look at one that has left.
 */
struct hft_pool_worker {
	_Atomic uint32_t levels;
	_Atomic uint32_t parked;
	_Atomic uint32_t life;
	_Atomic uintptr_t waits_for;
	_Atomic(struct hft_work *) inbox;
	struct hft_queue queue;
	_Atomic(struct hft_release *) release;

	struct hft_deque deques[HFT_LEVELS];
	struct hft_spawner self;
	struct hft_pool *pool;
	uint32_t number;
	_Atomic uint32_t cpu;
	_Atomic uint32_t node;
	uint32_t home;
	bool reserved;
	_Atomic bool searching;
	bool yields;
	uint64_t stolen_at;
	uint64_t steal_after;
	uint32_t steal_pause;
	uint32_t ended;
	struct hft_group *ended_group;
	uint32_t fixed_levels;
	struct hft_work_list fixed[HFT_LEVELS];
	struct hft_work *current;
	struct hft_work *outer;
	struct hft_call *calls;
	struct hft_pool_thread *threads;
	sigset_t blocked;
	uint64_t random;
	_Atomic uint8_t distance[HFT_POOL_WORKERS_MAX];

	_Atomic uint64_t expected __attribute__((aligned(64)));
	_Atomic uint64_t executed;
	_Atomic uint64_t failed;
	_Atomic uint64_t cancelled;
	_Atomic uint64_t stolen;
	_Atomic uint64_t failed_steals;
	_Atomic uint64_t late;
	_Atomic uint64_t parks;
	_Atomic uint64_t parked_ns;
};

/* Of hft_pool.idle: workers that sleep, and below them workers that search. */
#define HFT_POOL_PARKED		(1ULL << 32)
#define HFT_POOL_SEARCHING	1ULL

/**
 * struct hft_pool - a pool
 * @workers: those that are or were; never moves
 * @nr_workers: how many
 * @sim: the machine that its workers are threads of, or NULL
 * @hft: the handle that it is on, or NULL
 * @topology: of its CPUs; NULL: this machine's
 * @releases: tasks of that, which wait for their time
 * @membarrier: the kernel does the fences of who spawns
 * @pinned: workers are
 * @inherit: workers have priorities that are lent to them
 * @spin_ns: how long one searches
 * @first_reserved: number of the first worker that is
 * @nr_reserved: how many are
 * @forks: hft_pool_forks when it was opened
 * @key: of a thread that spawns and is no worker: its &struct hft_spawner
 * @lock: of workers that come and go
 * @idle: how many workers sleep and search
 * @inbox: tasks from outside, newest first
 * @queue: tasks that have a deadline, or that are to be re-keyed
 * @cancelled: tasks that ended without being begun, by who is no worker
 */
struct hft_pool {
	_Atomic(struct hft_pool_worker *) workers[HFT_POOL_WORKERS_MAX];
	_Atomic uint32_t nr_workers;
	struct hft_sim *sim;
	struct hft *hft;
	const struct hft_topology *topology;
	_Atomic(struct hft_release *) releases;
	bool membarrier;
	bool pinned;
	bool inherit;
	uint64_t spin_ns;
	uint32_t first_reserved;
	uint32_t nr_reserved;
	unsigned int forks;
	pthread_key_t key;
	pthread_mutex_t lock;

	_Atomic uint64_t idle __attribute__((aligned(64)));
	_Atomic(struct hft_work *) inbox __attribute__((aligned(64)));
	struct hft_queue queue;
	_Atomic uint64_t cancelled;
};

static inline enum hft_distance hft_worker_distance(const struct hft_pool_worker *from, uint32_t to)
{
	return atomic_load_explicit(&from->distance[to], memory_order_relaxed);
}

/* A counter with one writer. */
static inline void hft_count(_Atomic uint64_t *counter, uint64_t n)
{
	uint64_t old = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, old + n, memory_order_relaxed);
}

/* The calling thread has the pool's time, if that is a machine's. */
static inline void hft_pool_use(const struct hft_pool *pool)
{
	if (pool->sim && pool->sim != hft_sim_current)
		hft_sim_use(pool->sim);
}

/*
 * It has the pool's time, whosever that is, as it waits for the pool's workers.  Returns the
 * machine whose it had, for hft_pool_leave().
 */
static inline struct hft_sim *hft_pool_enter(const struct hft_pool *pool)
{
	struct hft_sim *before = hft_sim_current;

	hft_pool_use(pool);
	if (!pool->sim)
		hft_sim_current = NULL;
	return before;
}

/* The time of a machine it keeps. */
static inline void hft_pool_leave(const struct hft_pool *pool, struct hft_sim *before)
{
	if (!pool->sim)
		hft_sim_current = before;
}

static inline struct hft_pool_worker *hft_pool_worker_at(const struct hft_pool *pool, uint32_t i)
{
	return atomic_load_explicit(&pool->workers[i], memory_order_acquire);
}

/* Few bytes, mostly words: memcpy() takes as long to find that out. */
static inline void hft_copy_args(void *to, const void *from, size_t size)
{
	char *t = to;
	const char *f = from;

	for (; size >= 8; size -= 8, t += 8, f += 8)
		memcpy(t, f, 8);
	if (__builtin_expect(size, 0))
		memcpy(t, f, size);
}

/* park.c */
void hft_pool_wake(struct hft_pool *pool, const struct hft_pool_worker *from);
void hft_worker_wake(struct hft_pool_worker *worker);
void hft_worker_search(struct hft_pool_worker *worker);
void hft_worker_found(struct hft_pool_worker *worker);
void hft_worker_park(struct hft_pool_worker *worker, const struct hft_wait_for *wait,
		     uint64_t timeout);
bool hft_membarrier_begin(void);

/* affinity.c */
int hft_affinity_send(struct hft_spawner *self, struct hft_work *work,
		      const struct hft_affinity *affinity);
bool hft_affinity_resend(const struct hft_pool *pool, struct hft_work *work,
			 const struct hft_affinity *affinity, uint32_t first, uint32_t *tried);

/* memory.c */
void hft_worker_expect(struct hft_pool_worker *worker, uint64_t cost);
uint32_t hft_memory_home(const struct hft_pool *pool, const struct hft_memory *memory);
bool hft_memory_leave(struct hft_pool_worker *worker, struct hft_work *work);
void hft_memory_touch(struct hft_memory *memory, const struct hft_pool_worker *worker);

/* members.c */
void hft_member_free(struct hft_pool_worker *worker);
int hft_member_stop(struct hft_pool_worker *worker, uint64_t timeout);

/* thread.c */
int hft_pool_start_worker(struct hft_pool_worker *worker);
void hft_pool_join_worker(struct hft_pool_worker *worker);
void hft_pool_abandon_worker(const struct hft_pool_worker *worker);
void hft_pool_free_threads(struct hft_pool_worker *worker);

/* release.c */
int hft_release_submit(struct hft_pool *pool, struct hft_work *work);
int hft_release_join(struct hft_pool_worker *worker);
void hft_release_leave(struct hft_pool_worker *worker);
void hft_releases_reap(struct hft_pool *pool);
void hft_releases_close(struct hft_pool *pool);
void hft_releases_free(struct hft_pool *pool);

/* worker.c */
void *hft_worker_main(void *arg);
void hft_worker_simulate(void *arg);
void hft_worker_fix(struct hft_pool_worker *worker, struct hft_work *work);
struct hft_work *hft_worker_take_fixed(struct hft_pool_worker *worker, uint32_t level);
uint32_t hft_worker_fixed_level(struct hft_pool_worker *worker);
void hft_worker_run_inside(struct hft_pool_worker *worker, struct hft_work *work);
int hft_worker_help(struct hft_pool_worker *worker, const struct hft_wait_for *wait,
		    uint64_t timeout);
void hft_worker_tell(struct hft_pool_worker *worker);

/* leave.c */
void hft_worker_close_inbox(struct hft_pool_worker *worker);
void hft_worker_leave(struct hft_pool_worker *worker);
void hft_worker_lost(void *arg);

/* work.c */
void hft_work_run(struct hft_pool_worker *worker, struct hft_work *work);
void hft_work_cancel(struct hft_spawner *by, struct hft_work *work, int err);
int hft_work_push(struct hft_spawner *self, struct hft_work *work);
int hft_inbox_push(_Atomic(struct hft_work *) *inbox, struct hft_work *work);
struct hft_work *hft_inbox_take(_Atomic(struct hft_work *) *inbox, struct hft_work *leave);
void hft_group_begin(struct hft_group *group, const struct hft_spawner *self);
void hft_group_fail(struct hft_group *group, int64_t result);
void hft_group_end(struct hft_group *group, struct hft_pool *pool, uint32_t nr);

/* spawner.c */
struct hft_spawner *hft_spawner_find(struct hft_pool *pool);
void hft_spawner_init(struct hft_spawner *self, struct hft_pool *pool,
		      struct hft_pool_worker *worker);
void hft_spawner_exit(struct hft_spawner *self);
void hft_spawners_retire(struct hft_pool *pool);
uint64_t hft_spawners_count(struct hft_pool *pool);

extern unsigned int hft_pool_forks;

void hft_pool_watch_forks(void);

/* Is it of a process that this one was forked from, where its workers are? */
static inline bool hft_pool_is_inherited(const struct hft_pool *pool)
{
	return pool->forks != hft_pool_forks;
}

/* Why there is no spawner for the caller. */
static inline int hft_spawner_error(const struct hft_pool *pool)
{
	return hft_pool_is_inherited(pool) ? -EOWNERDEAD : -ENOMEM;
}

/* The calling thread as a spawner of @pool that it is already, or NULL. */
static inline struct hft_spawner *hft_spawner_of(const struct hft_pool *pool)
{
	struct hft_spawner *self = hft_self.spawner;

	/* Its pool may be closed by another thread. */
	if (__builtin_expect(self && __atomic_load_n(&self->pool, __ATOMIC_RELAXED) == pool, 1))
		return self;
	return NULL;
}

static inline struct hft_spawner *hft_spawner(struct hft_pool *pool)
{
	struct hft_spawner *self = hft_spawner_of(pool);

	return __builtin_expect(!!self, 1) ? self : hft_spawner_find(pool);
}

/*
 * After a task was pushed: see that somebody looks for it.  Who searches finds it, and
 * who is at a task has another to come.
 */
static inline void hft_pool_notify(struct hft_pool *pool, const struct hft_pool_worker *from)
{
	uint64_t idle;

	if (__builtin_expect(!pool->membarrier, 0))
		atomic_thread_fence(memory_order_seq_cst);
	else
		atomic_signal_fence(memory_order_seq_cst);
	idle = atomic_load_explicit(&pool->idle, memory_order_relaxed);
	if (__builtin_expect(idle >= HFT_POOL_PARKED, 0))
		hft_pool_wake(pool, from);
}

#endif /* HFT_POOL_INTERNAL_H */
