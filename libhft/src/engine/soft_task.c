// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The backend soft: what is done to tasks after their submission.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "soft.h"

typedef int (*soft_op)(struct soft_hold *hold, struct hft_slot *slot, void *arg);

/*
 * Do @op to a task under the lock of the queue that it is in.  A slot is freed under
 * that lock, and freed it is of another generation and of no ring: if both fit, it
 * is @id's.
 */
static int soft_task_do(struct soft_context *context, uint64_t id, soft_op op, void *arg)
{
	struct hft_slot *slot = hft_slot_find(&context->pool, id);
	struct soft_queue *queue;
	struct soft_ring *soft;
	struct soft_hold hold;
	int ret = -ENOENT;

	if (!slot)
		return -ENOENT;
	soft = &context->rings[READ_ONCE(slot->ring_number)];
	queue = atomic_load_explicit(&soft->queue, memory_order_acquire);
	if (!queue)
		return -ENOENT;

	soft_lock(&hold, queue);
	if (READ_ONCE(slot->generation) == upper_32_bits(id) &&
	    READ_ONCE(slot->ready) == &soft->ready) {
		ret = op(&hold, slot, arg);
		soft_commit(&hold);
	}
	soft_unlock(&hold);
	return ret;
}

/*
 * Chained tasks that wait for one of another CPU.  Take the lock of the queue that has the
 * task @id; NULL: there is none.
 */
static struct hft_ready_queue *soft_lock_after(struct soft_hold *hold,
					       struct soft_context *context, uint64_t id)
{
	struct hft_ready_queue *of = hft_chain_of(&context->pool, id);
	struct soft_ring *soft = of ? container_of(of, struct soft_ring, ready) : NULL;
	struct soft_queue *queue;

	queue = soft ? atomic_load_explicit(&soft->queue, memory_order_acquire) : NULL;
	if (!queue)
		return NULL;
	soft_lock(hold, queue);
	if (atomic_load_explicit(&soft->queue, memory_order_relaxed) == queue)
		return of;
	soft_unlock(hold);
	return NULL;
}

/* As the module's hft_remote_join().  @queue: that the ring was on when it took the task. */
int soft_join(struct soft_context *context, struct soft_ring *soft, struct soft_queue *queue,
	      struct hft_slot *slot)
{
	struct hft_ready_queue *of;
	struct soft_hold hold;
	int err = -ENOENT;

	of = soft_lock_after(&hold, context, slot->base);
	if (of) {
		err = hft_chain_join(of, slot);
		soft_commit(&hold);
		soft_unlock(&hold);
	}
	if (!err)
		return 0;
	soft_lock(&hold, queue);
	err = hft_chain_refuse(&context->pool, &soft->ready, slot, err);
	soft_commit(&hold);
	soft_unlock(&hold);
	return err;
}

/* As the module's hft_remote_fetch(). */
void soft_fetch(struct soft_context *context, struct hft_slot *slot, uint64_t after)
{
	struct soft_hold hold;
	struct hft_ready_queue *of = soft_lock_after(&hold, context, after);

	if (!of)
		return;
	hft_chain_fetch(of, after, slot);
	soft_unlock(&hold);
}

struct soft_cancelled {
	struct hft_slot *slot;
	uint64_t after;
};

static int soft_op_cancel(struct soft_hold *hold, struct hft_slot *slot, void *arg)
{
	(void)hold;
	*(struct soft_cancelled *)arg = (struct soft_cancelled){ slot, hft_chain_after(slot) };
	return hft_sched_cancel(slot);
}

static int soft_cancel(struct soft_context *context, uint64_t id)
{
	struct soft_cancelled cancelled;
	int ret = soft_task_do(context, id, soft_op_cancel, &cancelled);

	if (ret != HFT_CHAIN_REMOTE)
		return ret;
	soft_fetch(context, cancelled.slot, cancelled.after);
	return 0;
}

static int soft_op_modify(struct soft_hold *hold, struct hft_slot *slot, void *arg)
{
	/* A deadline that is changed may have to be translated. */
	soft_translate(hold, slot->clock);
	return hft_job_modify(slot, arg);
}

static int soft_op_arrive(struct soft_hold *hold, struct hft_slot *slot, void *arg)
{
	const struct hft_arrival *arrival = arg;

	return hft_job_arrive(slot, arrival->release, soft_translate(hold, slot->clock));
}

static int soft_op_info(struct soft_hold *hold, struct hft_slot *slot, void *arg)
{
	(void)hold;
	return hft_job_info(slot, arg);
}

/* hft_sched_rank() of HFT_HALT_ALL */
static const uint32_t soft_strictest = HFT_HALT_ALL + HFT_HALT_ALL;

static uint32_t soft_halt_rank(struct soft_context *context)
{
	return hft_sched_rank(atomic_load(&context->halt), soft_rule_halt(context));
}

/* Hold a ring to what its handle is halted to.  Returns how many tasks that stops. */
uint64_t soft_ring_halt(struct soft_context *context, struct soft_ring *soft)
{
	struct soft_queue *queue = atomic_load_explicit(&soft->queue, memory_order_acquire);
	uint64_t stopped = 0;
	struct soft_hold hold;
	uint32_t rank;

	if (!queue)
		return 0;
	soft_lock(&hold, queue);
	rank = soft_halt_rank(context);
	if (rank > soft->ready.halt_rank)
		hft_sched_hold(&soft->ready, rank);
	if (rank)
		stopped = soft->ready.heap.nr;
	soft_unlock(&hold);
	return stopped;
}

/* The keys of tasks that were halted say nothing else: make them again, bit by bit. */
static void soft_ring_rekey(struct soft_context *context, struct soft_ring *soft)
{
	struct soft_queue *queue = atomic_load_explicit(&soft->queue, memory_order_relaxed);
	struct soft_hold hold;
	uint32_t i, end;

	for (i = 0; i < context->pool.nr; ) {
		end = context->pool.nr - i < HFT_BATCH ? context->pool.nr : i + HFT_BATCH;
		soft_lock(&hold, queue);
		for (; i < end; i++) {
			struct hft_slot *slot = &context->pool.slots[i];

			if (READ_ONCE(slot->ready) == &soft->ready &&
			    slot->state == HFT_SLOT_READY)
				hft_ready_update(slot);
		}
		soft_unlock(&hold);
	}
}

static void soft_ring_set_halt(struct soft_ring *soft, uint32_t rank)
{
	struct soft_hold hold;

	soft_lock(&hold, atomic_load_explicit(&soft->queue, memory_order_relaxed));
	hft_sched_hold(&soft->ready, rank);
	if (rank != soft_strictest)
		soft_fill(&hold, soft);
	soft_commit(&hold);
	soft_unlock(&hold);
}

/* Let a ring have what its handle allows by now, in the order of its new keys. */
static void soft_ring_let_go(struct soft_context *context, struct soft_ring *soft)
{
	soft_ring_rekey(context, soft);
	soft_ring_set_halt(soft, soft_halt_rank(context));
}

/* Is a ring held to more than its handle is by now? */
bool soft_ring_may_resume(struct soft_context *context, const struct soft_ring *soft)
{
	return soft_halt_rank(context) < READ_ONCE(soft->ready.halt_rank);
}

static void soft_ring_resume(struct soft_context *context, struct soft_ring *soft)
{
	if (!soft_ring_may_resume(context, soft))
		return;
	soft_ring_set_halt(soft, soft_strictest);
	soft_ring_let_go(context, soft);
}

static int soft_ring_set_policy(struct soft_context *context, struct soft_ring *soft,
				uint32_t policy)
{
	struct soft_hold hold;
	int err;

	soft_ring_set_halt(soft, soft_strictest);
	soft_lock(&hold, atomic_load_explicit(&soft->queue, memory_order_relaxed));
	err = hft_sched_set_policy(&soft->ready, policy);
	soft_unlock(&hold);
	soft_ring_let_go(context, soft);
	return err;
}

static int soft_ring_set(struct soft_context *context, const struct hft_ring_set *set)
{
	struct soft_ring *soft = &context->rings[set->ring % HFT_MAX_RINGS];
	int err = -ENOENT;

	if (!hft_ring_set_valid(set))
		return -EINVAL;
	pthread_mutex_lock(&context->mutex);
	if (set->ring < HFT_MAX_RINGS && soft->used)
		err = soft == atomic_load(&context->monitor) ? -EINVAL :
		      soft_ring_set_policy(context, soft, set->policy);
	soft_context_unlock(context);
	return err;
}

static int soft_class_info(struct soft_context *context, struct hft_class_info *info)
{
	struct soft_ring *soft = &context->rings[info->ring % HFT_MAX_RINGS];
	struct soft_hold hold;
	int err = -ENOENT;

	if (!hft_class_info_valid(info))
		return -EINVAL;
	pthread_mutex_lock(&context->mutex);
	if (info->ring < HFT_MAX_RINGS && soft->used) {
		soft_lock(&hold, atomic_load_explicit(&soft->queue, memory_order_relaxed));
		err = hft_ready_class_info(&soft->ready, info, hold.now);
		soft_commit(&hold);
		soft_unlock(&hold);
	}
	soft_context_unlock(context);
	return err;
}

static int soft_lead_info(struct soft_context *context, struct hft_lead_info *info)
{
	struct soft_ring *soft = &context->rings[info->ring % HFT_MAX_RINGS];
	struct hft_lead learned;
	struct soft_hold hold;
	int err = -ENOENT;

	if (!hft_lead_info_valid(info))
		return -EINVAL;
	pthread_mutex_lock(&context->mutex);
	if (info->ring < HFT_MAX_RINGS && soft->used) {
		soft_lock(&hold, atomic_load_explicit(&soft->queue, memory_order_relaxed));
		err = soft == atomic_load(&context->monitor) ? -EINVAL :
		      hft_ready_lead_info(&soft->ready, info, &learned);
		soft_unlock(&hold);
	}
	soft_context_unlock(context);
	if (!err && info->nr_rows)
		info->nr_rows = hft_lead_rows(&learned, (void *)(uintptr_t)info->rows,
					      info->nr_rows);
	return err;
}

/* Let all rings have what their handle allows by now.  Under the context's mutex. */
void soft_resume_rings(struct soft_context *context)
{
	uint32_t i;

	for (i = 0; i < HFT_MAX_RINGS; i++) {
		if (context->rings[i].used)
			soft_ring_resume(context, &context->rings[i]);
	}
}

/* What may take its time is done when nothing dispatches any more. */
static void soft_halt_follow(struct soft_context *context, struct hft_halt *halt)
{
	uint32_t i;

	pthread_mutex_lock(&context->mutex);
	for (i = 0; i < HFT_MAX_RINGS; i++) {
		if (!context->rings[i].used)
			continue;
		if (halt->mode == HFT_HALT_CANCEL)
			halt->stopped += soft_ring_cancel_tasks(context, &context->rings[i]);
		else
			soft_ring_resume(context, &context->rings[i]);
	}
	soft_context_unlock(context);
}

/* Hold all rings to what their handle is halted to. */
uint64_t soft_halt_rings(struct soft_context *context, uint32_t *rings)
{
	uint64_t stopped = 0;
	uint32_t i;

	for (i = 0; i < HFT_MAX_RINGS; i++) {
		if (!atomic_load_explicit(&context->rings[i].queue, memory_order_acquire))
			continue;
		stopped += soft_ring_halt(context, &context->rings[i]);
		++*rings;
	}
	return stopped;
}

/* As the module does.  Other processes' handles are none of ours: -EPERM. */
static int soft_halt(struct soft_context *context, struct hft_halt *halt)
{
	if (!hft_halt_valid(halt))
		return -EINVAL;
	if (halt->flags & HFT_HALT_GLOBAL)
		return -EPERM;

	halt->rings = 0;
	atomic_store(&context->halt, halt->mode < HFT_HALT_ALL ? halt->mode : HFT_HALT_ALL);
	/* The word before looking for rings: pairs with that in soft_ring_add(). */
	smp_mb();
	halt->stopped = soft_halt_rings(context, &halt->rings);
	if (halt->mode == HFT_HALT_CANCEL)
		halt->stopped = 0;
	if (halt->mode != HFT_HALT_ALL)
		soft_halt_follow(context, halt);
	return 0;
}

/*
 * As the module has it sent, but for the descriptor, and the code: the kernel takes
 * POLL_PRI of none but itself.
 */
void soft_signal(struct soft_context *context)
{
	uint64_t to = atomic_load_explicit(&context->signal, memory_order_relaxed);
	pid_t tid = (pid_t)(to >> 32);
	int number = (int)(to & UINT32_MAX);
	siginfo_t info = {
		.si_signo = number,
		.si_code = SI_SIGIO,
		.si_band = POLLPRI | POLLRDBAND,
		.si_fd = -1,
	};

	if (!number)
		return;
	/* It fails if the thread has ended, as fcntl()'s owner may. */
	if (tid)
		syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, number, &info);
	else
		syscall(SYS_rt_sigqueueinfo, getpid(), number, &info);
}

static int soft_signal_to(struct soft_context *context, const struct hft_signal *to)
{
	if (to->number && to->tid && syscall(SYS_tgkill, getpid(), to->tid, 0))
		return -errno;
	atomic_store(&context->signal, (uint64_t)to->tid << 32 | (uint32_t)to->number);
	return 0;
}

static void soft_stats_add(struct hft_stats *stats, struct soft_ring *soft)
{
	struct soft_queue *queue = atomic_load_explicit(&soft->queue, memory_order_relaxed);
	struct soft_hold hold;

	soft_lock(&hold, queue);
	hft_ready_stats(&soft->ready, stats);
	soft_unlock(&hold);
}

static uint32_t soft_count_free(const struct soft_context *context)
{
	uint32_t i, count = 0;

	for (i = 0; i < context->pool.nr; i++)
		count += READ_ONCE(context->pool.slots[i].state) == HFT_SLOT_FREE;
	return count;
}

static int soft_stats(struct soft_context *context, struct hft_stats *stats)
{
	bool all = stats->ring == HFT_STATS_CONTEXT;
	uint32_t i;
	int err = all ? 0 : -ENOENT;

	pthread_mutex_lock(&context->mutex);
	for (i = 0; i < HFT_MAX_RINGS; i++) {
		if (!context->rings[i].used || (!all && stats->ring != i))
			continue;
		soft_stats_add(stats, &context->rings[i]);
		err = 0;
	}
	stats->tasks = context->pool.nr;
	stats->tasks_free = soft_count_free(context);
	soft_context_unlock(context);
	return err;
}


int soft_command(struct hft *h, unsigned int op, void *arg)
{
	struct soft_context *context = h->state;
	struct hft_task_info *info = arg;
	struct hft_modify *modify = arg;
	struct hft_cancel *cancel = arg;
	struct hft_arrival *arrival = arg;
	int err;

	if (hft_is_inherited(h->forks))
		return -EOWNERDEAD;
	switch (op) {
	case HFT_IOC_CANCEL:
		return soft_cancel(context, cancel->task);
	case HFT_IOC_MODIFY:
		if (!hft_modify_valid(modify))
			return -EINVAL;
		return soft_task_do(context, modify->task, soft_op_modify, modify);
	case HFT_IOC_RELEASE:
		if (!hft_arrival_valid(arrival))
			return -EINVAL;
		return soft_task_do(context, arrival->task, soft_op_arrive, arrival);
	case HFT_IOC_TASK:
		if (info->reserved)
			return -EINVAL;
		err = soft_task_do(context, info->task, soft_op_info, info);
		return err == -ENOENT ? hft_slot_ended(&context->pool, info) : err;
	case HFT_IOC_HALT:
		return soft_halt(context, arg);
	case HFT_IOC_STATS:
		return soft_stats(context, arg);
	case HFT_OP_SIGNAL:
		return soft_signal_to(context, arg);
	case HFT_IOC_RING_SET:
		return soft_ring_set(context, arg);
	case HFT_IOC_SINK:
		return -ENOENT;
	case HFT_IOC_CLASS:
		return soft_class_info(context, arg);
	case HFT_IOC_LEAD:
		return soft_lead_info(context, arg);
	case HFT_IOC_METER:
		return soft_meter_set(context, arg);
	case HFT_IOC_HIST:
		return soft_hist_read(context, arg);
	case HFT_IOC_RULE:
		return soft_rule_set(context, arg);
	case HFT_IOC_RULE_INFO:
		return soft_rule_info(context, arg);
	default:
		return -ENOTTY;
	}
}
