// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands: submit, submit a batch, cancel, modify, release.  Each completes inline, from an
 * io_uring (whose handler may run in the polling thread or a worker of it: what
 * it needs comes from the file and the descriptor, never from current) or from
 * the ioctl of the same number.
 */
#include <linux/kernel.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "hft.h"

/* The ring of a prepared slot.  With interrupts off, which holds off its freeing. */
static struct hft_ring *hft_slot_ring(struct hft_context *context, const struct hft_slot *slot)
{
	return rcu_dereference_sched(context->rings[slot->ring_number]);
}

static void hft_refuse(struct hft_context *context, struct hft_slot **slot, int err)
{
	hft_slot_free(&context->pool, *slot);
	*slot = ERR_PTR(err);
}

/*
 * Queue slots[@i] and those after it that go to the same CPU, and count those that
 * are refused.  Returns where it ended.
 */
static __always_inline unsigned int hft_queue_run(struct hft_context *context,
						  struct hft_queue *queue,
						  struct hft_slot **slots, unsigned int i,
						  unsigned int nr, unsigned int *refused)
{
	struct hft_ring *ring;
	int err;

	raw_spin_lock(&queue->lock);
	for (; i < nr && !IS_ERR(slots[i]); i++) {
		ring = hft_slot_ring(context, slots[i]);
		if (!ring || ring->queue != queue)
			break;
		/* It may end with the one before, and is told on CLOCK_MONOTONIC then. */
		if (unlikely(slots[i]->flags & HFT_SLOT_AFTER))
			hft_queue_clock(queue, slots[i]->clock);
		err = hft_sched_insert(&queue->release, &ring->ready, slots[i]);
		if (unlikely(err)) {
			if (err == HFT_SCHED_AWAY)
				err = hft_fallback_redirect(ring, slots[i]);
			if (!err)
				continue;
			if (err == HFT_SCHED_AWAY)
				break;
			if (err == HFT_CHAIN_REMOTE)
				goto remote;
			hft_refuse(context, &slots[i], err);
			(*refused)++;
		}
	}
	hft_queue_commit(queue);
	raw_spin_unlock(&queue->lock);
	return i;

remote:
	hft_queue_commit(queue);
	raw_spin_unlock(&queue->lock);
	err = hft_remote_join(ring, slots[i]);
	if (err) {
		slots[i] = ERR_PTR(err);
		(*refused)++;
	}
	return i + 1;
}

/*
 * Queue prepared slots; neighbours for one CPU share a hold of its lock.  An
 * entry that is an error is passed over, one that can not be queued becomes one.
 * Returns how many could not.
 */
static __always_inline unsigned int hft_queue_slots(struct hft_context *context,
						    struct hft_slot **slots, unsigned int nr)
{
	unsigned int i = 0, refused = 0;
	unsigned long irq_flags;

	while (i < nr) {
		struct hft_ring *ring;

		if (IS_ERR(slots[i])) {
			i++;
			continue;
		}
		local_irq_save(irq_flags);
		ring = hft_slot_ring(context, slots[i]);
		if (likely(ring)) {
			i = hft_queue_run(context, ring->queue, slots, i, nr, &refused);
		} else {
			hft_refuse(context, &slots[i++], -ENOENT);
			refused++;
		}
		local_irq_restore(irq_flags);
	}
	return refused;
}

static int hft_put_result(u64 address, s64 result)
{
	return put_user(result, (s64 __user *)u64_to_user_ptr(address));
}

/* A task was not admitted: say what it would have brought its CPU to. */
static int hft_submit_busy(struct hft_context *context, const struct hft_task *task, u64 result)
{
	u32 number = array_index_nospec(READ_ONCE(task->ring) % HFT_MAX_RINGS, HFT_MAX_RINGS);
	unsigned long irq_flags;
	struct hft_ring *ring;
	u64 density = 0;

	local_irq_save(irq_flags);
	ring = rcu_dereference_sched(context->rings[number]);
	if (ring) {
		raw_spin_lock(&ring->queue->lock);
		density = ring->queue->release.admission.density;
		raw_spin_unlock(&ring->queue->lock);
	}
	local_irq_restore(irq_flags);
	if (hft_put_result(result, hft_task_refused(task, density)))
		return -EFAULT;
	return -EBUSY;
}

/* @slot is why @task could not be prepared.  Returns that, or the slot if it can be mended. */
static noinline struct hft_slot *hft_prepare_again(struct hft_context *context,
						   const struct hft_task *task,
						   struct hft_slot *slot)
{
	int err;

	/* Again and again: user space may write another clock into it meanwhile. */
	while (slot == ERR_PTR(-EAGAIN)) {
		err = hft_context_add_clock(context, READ_ONCE(task->clock));
		if (err)
			return ERR_PTR(err);
		slot = hft_task_prepare(&context->pool, task);
	}
	return slot;
}

int hft_submit(struct hft_context *context, const struct hft_submit *submit)
{
	u64 result = READ_ONCE(submit->result);
	struct hft_slot *slot;

	if (READ_ONCE(submit->reserved))
		return -EINVAL;

	slot = hft_task_prepare(&context->pool, &submit->task);
	if (IS_ERR(slot)) {
		slot = hft_prepare_again(context, &submit->task, slot);
		if (IS_ERR(slot))
			return PTR_ERR(slot);
	}

	/* Before it is queued: what fails here leaves nothing behind. */
	if (result && hft_put_result(result, hft_slot_id(&context->pool, slot))) {
		hft_slot_free(&context->pool, slot);
		return -EFAULT;
	}

	hft_queue_slots(context, &slot, 1);
	if (unlikely(slot == ERR_PTR(-EBUSY) && result))
		return hft_submit_busy(context, &submit->task, result);
	return PTR_ERR_OR_ZERO(slot);
}

/* Word by word: a string instruction costs more than it moves here. */
static __always_inline int hft_read_task(struct hft_task *task, u64 address)
{
	const u64 __user *from = u64_to_user_ptr(address);
	u64 *to = (u64 *)task;

	BUILD_BUG_ON(sizeof(*task) != 8 * sizeof(*to));

	if (!user_read_access_begin(from, sizeof(*task)))
		return -EFAULT;
	unsafe_get_user(to[0], &from[0], fault);
	unsafe_get_user(to[1], &from[1], fault);
	unsafe_get_user(to[2], &from[2], fault);
	unsafe_get_user(to[3], &from[3], fault);
	unsafe_get_user(to[4], &from[4], fault);
	unsafe_get_user(to[5], &from[5], fault);
	unsafe_get_user(to[6], &from[6], fault);
	unsafe_get_user(to[7], &from[7], fault);
	user_read_access_end();
	return 0;
fault:
	user_read_access_end();
	return -EFAULT;
}

static void hft_free_slots(struct hft_context *context, struct hft_slot **slots, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!IS_ERR(slots[i]))
			hft_slot_free(&context->pool, slots[i]);
	}
}

/* Read and prepare @nr tasks.  Returns how many of them are good, or an error and none. */
static __always_inline int hft_prepare_tasks(struct hft_context *context, u64 address,
					     u32 task_size, struct hft_slot **slots,
					     unsigned int nr)
{
	unsigned int i, prepared = nr;
	struct hft_task task;
	int err;

	for (i = 0; i < nr; i++, address += task_size) {
		/* Descriptors of another size are an older or a newer caller's. */
		if (likely(task_size == sizeof(task)))
			err = hft_read_task(&task, address);
		else
			err = copy_struct_from_user(&task, sizeof(task),
						    u64_to_user_ptr(address), task_size);
		if (unlikely(err)) {
			hft_free_slots(context, slots, i);
			return err;
		}
		slots[i] = hft_task_prepare(&context->pool, &task);
		if (IS_ERR(slots[i])) {
			slots[i] = hft_prepare_again(context, &task, slots[i]);
			prepared -= IS_ERR(slots[i]);
		}
	}
	return prepared;
}

static int hft_write_results(struct hft_context *context, u64 address, struct hft_slot **slots,
			     unsigned int nr)
{
	s64 __user *to = u64_to_user_ptr(address);
	unsigned int i;

	if (!user_write_access_begin(to, nr * sizeof(*to)))
		return -EFAULT;
	for (i = 0; i < nr; i++) {
		s64 result = PTR_ERR(slots[i]);

		if (!IS_ERR(slots[i]))
			result = hft_slot_id(&context->pool, slots[i]);
		unsafe_put_user(result, &to[i], fault);
	}
	user_write_access_end();
	return 0;
fault:
	user_write_access_end();
	return -EFAULT;
}

/*
 * Tasks were refused by their ring: say so in their results.  The ids of the
 * others are in place, and their slots may be other tasks' by now.  The array was
 * writable just before: a caller that has unmapped it meanwhile loses a message.
 */
static void hft_write_refusals(u64 address, struct hft_slot **slots, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (IS_ERR(slots[i]) && hft_put_result(address + i * sizeof(s64),
						       PTR_ERR(slots[i])))
			return;
	}
}

static int hft_submit_chunk(struct hft_context *context, u64 tasks, u32 task_size, u64 results,
			    unsigned int nr)
{
	struct hft_slot *slots[HFT_CHUNK];
	int prepared, refused, err;

	prepared = hft_prepare_tasks(context, tasks, task_size, slots, nr);
	if (prepared < 0)
		return prepared;

	/* Before they are queued: what fails here leaves nothing behind. */
	err = hft_write_results(context, results, slots, nr);
	if (err) {
		hft_free_slots(context, slots, nr);
		return err;
	}

	refused = hft_queue_slots(context, slots, nr);
	if (unlikely(refused))
		hft_write_refusals(results, slots, nr);
	return prepared - refused;
}

int hft_submit_batch(struct hft_context *context, const struct hft_submit_batch *batch)
{
	u64 tasks = READ_ONCE(batch->tasks);
	u64 results = READ_ONCE(batch->results);
	u32 task_size = READ_ONCE(batch->task_size);
	u32 left = READ_ONCE(batch->nr);
	u32 taken = 0;
	bool first = true;

	if (READ_ONCE(batch->reserved) || !left || left > HFT_MAX_BATCH)
		return -EINVAL;
	if (!task_size || task_size > PAGE_SIZE)
		return -EINVAL;

	for (; left; first = false) {
		unsigned int nr = min_t(u32, left, HFT_CHUNK);
		int ret = hft_submit_chunk(context, tasks, task_size, results, nr);

		if (ret < 0)
			return first ? ret : taken;
		taken += ret;
		left -= nr;
		tasks += (u64)nr * task_size;
		results += nr * sizeof(s64);
		cond_resched();
	}
	return taken;
}

/*
 * Do @op to a task under the lock of the queue that it is in.  A slot is freed under
 * that lock, and freed it is of another generation and of no ring: if both fit, it
 * is @id's.
 */
static __always_inline int hft_task_do(struct hft_context *context, u64 id,
				       int (*op)(struct hft_slot *slot, void *arg), void *arg)
{
	struct hft_slot *slot = hft_slot_find(&context->pool, id);
	unsigned long irq_flags;
	struct hft_ring *ring;
	bool moved;
	int ret;

	if (!slot)
		return -ENOENT;
again:
	ret = -ENOENT;
	moved = false;
	local_irq_save(irq_flags);
	ring = rcu_dereference_sched(context->rings[READ_ONCE(slot->ring_number)]);
	if (!ring)
		goto out;

	raw_spin_lock(&ring->queue->lock);
	if (READ_ONCE(slot->generation) == upper_32_bits(id)) {
		if (likely(hft_fallback_is_here(&ring->ready, slot))) {
			ret = op(slot, arg);
			hft_queue_commit(ring->queue);
		} else {
			moved = READ_ONCE(slot->ready);
		}
	}
	raw_spin_unlock(&ring->queue->lock);
out:
	local_irq_restore(irq_flags);
	/* It goes to a fallback ring, where it soon is: its mover has interrupts off. */
	if (unlikely(moved)) {
		cpu_relax();
		goto again;
	}
	return ret;
}

struct hft_cancelled {
	struct hft_slot *slot;
	u64 after;
};

static int hft_op_cancel(struct hft_slot *slot, void *arg)
{
	*(struct hft_cancelled *)arg = (struct hft_cancelled){ slot, hft_chain_after(slot) };
	return hft_sched_cancel(slot);
}

int hft_cancel(struct hft_context *context, const struct hft_cancel *cancel)
{
	u64 id = READ_ONCE(cancel->task);
	struct hft_cancelled cancelled;
	int ret;

	if (READ_ONCE(cancel->reserved))
		return -EINVAL;
	ret = hft_task_do(context, id, hft_op_cancel, &cancelled);
	if (ret != HFT_CHAIN_REMOTE)
		return ret;
	hft_remote_fetch(context, cancelled.slot, cancelled.after);
	return 0;
}

static int hft_op_modify(struct hft_slot *slot, void *arg)
{
	/* A deadline that is changed may have to be translated. */
	hft_queue_clock(hft_ring_of(slot->ready)->queue, slot->clock);
	return hft_job_modify(slot, arg);
}

int hft_modify(struct hft_context *context, const struct hft_modify *from)
{
	struct hft_modify modify = {
		.task = READ_ONCE(from->task),
		.fields = READ_ONCE(from->fields),
		.level = READ_ONCE(from->level),
		.release = READ_ONCE(from->release),
		.deadline = READ_ONCE(from->deadline),
		.period = READ_ONCE(from->period),
		.reserved = READ_ONCE(from->reserved),
	};

	if (!hft_modify_valid(&modify))
		return -EINVAL;
	return hft_task_do(context, modify.task, hft_op_modify, &modify);
}

static int hft_op_arrive(struct hft_slot *slot, void *arg)
{
	u64 now = hft_queue_clock(hft_ring_of(slot->ready)->queue, slot->clock);

	return hft_job_arrive(slot, *(const u64 *)arg, now);
}

int hft_arrive(struct hft_context *context, const struct hft_arrival *from)
{
	struct hft_arrival arrival = {
		.task = READ_ONCE(from->task),
		.release = READ_ONCE(from->release),
		.reserved = READ_ONCE(from->reserved),
	};

	if (!hft_arrival_valid(&arrival))
		return -EINVAL;
	return hft_task_do(context, arrival.task, hft_op_arrive, &arrival.release);
}

static int hft_op_info(struct hft_slot *slot, void *arg)
{
	return hft_job_info(slot, arg);
}

int hft_task_info(struct hft_context *context, struct hft_task_info *info)
{
	int err;

	if (info->reserved)
		return -EINVAL;
	err = hft_task_do(context, info->task, hft_op_info, info);
	return err == -ENOENT ? hft_slot_ended(&context->pool, info) : err;
}

/*
 * A struct of another size than ours, an older or a newer caller's: taken out of
 * the submission queue once, then cut or filled up with zeroes.
 */
static int hft_read_sized_payload(void *to, size_t ksize, const struct io_uring_cmd *cmd)
{
	const u64 *from = hft_uring_payload(cmd);
	size_t usize = _IOC_SIZE(cmd->cmd_op);
	struct hft_uring_payload copy;
	size_t i;

	if (usize > sizeof(copy))
		return -EINVAL;
	for (i = 0; i < sizeof(copy) / sizeof(u64); i++)
		((u64 *)&copy)[i] = READ_ONCE(from[i]);

	if (usize > ksize && memchr_inv(copy.bytes + ksize, 0, usize - ksize))
		return -E2BIG;
	memset(to, 0, ksize);
	memcpy(to, &copy, min(ksize, usize));
	return 0;
}

static noinline int hft_uring_cmd_sized(struct hft_context *context, const struct io_uring_cmd *cmd)
{
	union {
		struct hft_submit submit;
		struct hft_submit_batch batch;
		struct hft_cancel cancel;
		struct hft_modify modify;
		struct hft_arrival arrival;
	} u;

	switch (cmd->cmd_op & ~IOCSIZE_MASK) {
	case HFT_IOC_SUBMIT & ~IOCSIZE_MASK:
		return hft_read_sized_payload(&u.submit, sizeof(u.submit), cmd) ?:
		       hft_submit(context, &u.submit);
	case HFT_IOC_SUBMIT_BATCH & ~IOCSIZE_MASK:
		return hft_read_sized_payload(&u.batch, sizeof(u.batch), cmd) ?:
		       hft_submit_batch(context, &u.batch);
	case HFT_IOC_CANCEL & ~IOCSIZE_MASK:
		return hft_read_sized_payload(&u.cancel, sizeof(u.cancel), cmd) ?:
		       hft_cancel(context, &u.cancel);
	case HFT_IOC_MODIFY & ~IOCSIZE_MASK:
		return hft_read_sized_payload(&u.modify, sizeof(u.modify), cmd) ?:
		       hft_modify(context, &u.modify);
	case HFT_IOC_RELEASE & ~IOCSIZE_MASK:
		return hft_read_sized_payload(&u.arrival, sizeof(u.arrival), cmd) ?:
		       hft_arrive(context, &u.arrival);
	default:
		return -ENOTTY;
	}
}

int hft_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct hft_context *context = cmd->file->private_data;
	const void *payload = hft_uring_payload(cmd);

	if (!(issue_flags & IO_URING_F_SQE128))
		return -EINVAL;

	switch (cmd->cmd_op) {
	case HFT_IOC_SUBMIT:
		return hft_submit(context, payload);
	case HFT_IOC_SUBMIT_BATCH:
		return hft_uring_result(cmd, hft_submit_batch(context, payload), issue_flags);
	case HFT_IOC_CANCEL:
		return hft_cancel(context, payload);
	case HFT_IOC_MODIFY:
		return hft_modify(context, payload);
	default:
		/* Release too: one more case costs every submission two instructions. */
		return hft_uring_result(cmd, hft_uring_cmd_sized(context, cmd), issue_flags);
	}
}
