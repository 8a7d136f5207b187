// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands: submit, submit a batch, cancel.  Each completes inline, from an
 * io_uring (whose handler may run in the polling thread or a worker of it: what
 * it needs comes from the file and the descriptor, never from current) or from
 * the ioctl of the same number.
 */
#include <linux/kernel.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "hft.h"
#include "trace.h"

/* Tasks of a batch that go through at a time: what fits on the stack. */
#define HFT_CHUNK	16

static bool hft_task_valid(const struct hft_task *task)
{
	if (task->flags || task->reserved1 || task->reserved2)
		return false;
	if (task->reserved3[0] | task->reserved3[1] | task->reserved3[2])
		return false;
	if (task->clock >= HFT_CLOCKS || task->level >= HFT_LEVELS)
		return false;
	if (task->release > HFT_TIME_MAX || task->deadline > HFT_TIME_MAX)
		return false;
	return !task->deadline || task->deadline >= task->release;
}

static struct hft_slot *hft_task_prepare(struct hft_context *context, const struct hft_task *task)
{
	struct hft_slot *slot;

	if (!hft_task_valid(task))
		return ERR_PTR(-EINVAL);
	if (task->ring >= HFT_MAX_RINGS)
		return ERR_PTR(-ENOENT);

	slot = hft_slot_alloc(context);
	if (IS_ERR(slot))
		return slot;

	slot->cookie = task->cookie;
	slot->release = task->release;
	slot->deadline = task->deadline;
	WRITE_ONCE(slot->ring_number, task->ring);
	slot->clock = task->clock;
	slot->level = task->level;
	return slot;
}

/* The ring of a prepared slot.  Under RCU. */
static struct hft_ring *hft_slot_ring(struct hft_context *context, const struct hft_slot *slot)
{
	return rcu_dereference(context->rings[slot->ring_number]);
}

static void hft_refuse(struct hft_context *context, struct hft_slot **slot, int err)
{
	hft_slot_free(context, *slot);
	*slot = ERR_PTR(err);
}

/* Queue slots[@i] and those after it that go to the same CPU.  Returns where it ended. */
static unsigned int hft_queue_run(struct hft_context *context, struct hft_queue *queue,
				  struct hft_slot **slots, unsigned int i, unsigned int nr,
				  u64 entry)
{
	unsigned long irq_flags;

	raw_spin_lock_irqsave(&queue->lock, irq_flags);
	for (; i < nr && !IS_ERR(slots[i]); i++) {
		struct hft_ring *ring = hft_slot_ring(context, slots[i]);
		int err;

		if (!ring || ring->queue != queue)
			break;
		err = hft_queue_insert(queue, ring, slots[i], entry);
		if (err)
			hft_refuse(context, &slots[i], err);
	}
	hft_queue_commit(queue, entry);
	raw_spin_unlock_irqrestore(&queue->lock, irq_flags);
	return i;
}

/*
 * Queue prepared slots; neighbours for one CPU share a hold of its lock.  An
 * entry that is an error is passed over, one that can not be queued becomes one.
 */
static void hft_queue_slots(struct hft_context *context, struct hft_slot **slots,
			    unsigned int nr)
{
	u64 entry = ktime_get_ns();
	unsigned int i = 0;

	rcu_read_lock();
	while (i < nr) {
		struct hft_ring *ring;

		if (IS_ERR(slots[i])) {
			i++;
			continue;
		}
		ring = hft_slot_ring(context, slots[i]);
		if (ring)
			i = hft_queue_run(context, ring->queue, slots, i, nr, entry);
		else
			hft_refuse(context, &slots[i++], -ENOENT);
	}
	rcu_read_unlock();
}

static int hft_put_result(u64 address, s64 result)
{
	return put_user(result, (s64 __user *)u64_to_user_ptr(address));
}

int hft_submit(struct hft_context *context, const struct hft_submit *submit)
{
	struct hft_slot *slot;

	if (submit->reserved)
		return -EINVAL;

	slot = hft_task_prepare(context, &submit->task);
	if (IS_ERR(slot))
		return PTR_ERR(slot);

	/* Before it is queued: what fails here leaves nothing behind. */
	if (submit->result && hft_put_result(submit->result, hft_slot_id(context, slot))) {
		hft_slot_free(context, slot);
		return -EFAULT;
	}

	hft_queue_slots(context, &slot, 1);
	return PTR_ERR_OR_ZERO(slot);
}

static int hft_read_tasks(struct hft_task *tasks, u64 address, u32 task_size, unsigned int nr)
{
	unsigned int i;
	int err;

	if (task_size == sizeof(*tasks))
		return copy_from_user(tasks, u64_to_user_ptr(address), nr * sizeof(*tasks)) ?
			-EFAULT : 0;

	for (i = 0; i < nr; i++) {
		err = copy_struct_from_user(&tasks[i], sizeof(*tasks),
					    u64_to_user_ptr(address + (u64)i * task_size),
					    task_size);
		if (err)
			return err;
	}
	return 0;
}

static int hft_write_results(struct hft_context *context, u64 address, struct hft_slot **slots,
			     unsigned int nr)
{
	s64 results[HFT_CHUNK];
	unsigned int i;

	for (i = 0; i < nr; i++)
		results[i] = IS_ERR(slots[i]) ? PTR_ERR(slots[i]) : hft_slot_id(context, slots[i]);
	return copy_to_user(u64_to_user_ptr(address), results, nr * sizeof(*results)) ?
		-EFAULT : 0;
}

static void hft_free_slots(struct hft_context *context, struct hft_slot **slots, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!IS_ERR(slots[i]))
			hft_slot_free(context, slots[i]);
	}
}

static unsigned int hft_count_taken(struct hft_slot **slots, unsigned int nr)
{
	unsigned int i, taken = 0;

	for (i = 0; i < nr; i++)
		taken += !IS_ERR(slots[i]);
	return taken;
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

/* Not inlined: it has the stack that only a batch needs. */
static noinline int hft_submit_chunk(struct hft_context *context, u64 address, u32 task_size,
				     u64 results, unsigned int nr)
{
	struct hft_task tasks[HFT_CHUNK];
	struct hft_slot *slots[HFT_CHUNK];
	unsigned int i, prepared, taken;
	int err;

	err = hft_read_tasks(tasks, address, task_size, nr);
	if (err)
		return err;

	for (i = 0; i < nr; i++)
		slots[i] = hft_task_prepare(context, &tasks[i]);

	/* Before they are queued: what fails here leaves nothing behind. */
	err = hft_write_results(context, results, slots, nr);
	if (err) {
		hft_free_slots(context, slots, nr);
		return err;
	}

	prepared = hft_count_taken(slots, nr);
	hft_queue_slots(context, slots, nr);
	taken = hft_count_taken(slots, nr);
	if (taken < prepared)
		hft_write_refusals(results, slots, nr);
	return taken;
}

int hft_submit_batch(struct hft_context *context, const struct hft_submit_batch *batch)
{
	u32 done = 0, taken = 0;

	if (batch->reserved || !batch->nr || batch->nr > HFT_MAX_BATCH)
		return -EINVAL;
	if (!batch->task_size || batch->task_size > PAGE_SIZE)
		return -EINVAL;

	while (done < batch->nr) {
		unsigned int nr = min_t(u32, batch->nr - done, HFT_CHUNK);
		int ret = hft_submit_chunk(context,
					   batch->tasks + (u64)done * batch->task_size,
					   batch->task_size,
					   batch->results + (u64)done * sizeof(s64), nr);

		if (ret < 0)
			return done ? taken : ret;
		done += nr;
		taken += ret;
		cond_resched();
	}
	return taken;
}

int hft_cancel(struct hft_context *context, const struct hft_cancel *cancel)
{
	u32 generation = upper_32_bits(cancel->task);
	struct hft_slot *slot;
	struct hft_ring *ring;
	unsigned long irq_flags;
	int err = -ENOENT;

	if (cancel->reserved)
		return -EINVAL;
	slot = hft_slot_find(context, cancel->task);
	if (!slot)
		return -ENOENT;

	rcu_read_lock();
	ring = rcu_dereference(context->rings[READ_ONCE(slot->ring_number)]);
	if (!ring)
		goto unlock;

	raw_spin_lock_irqsave(&ring->queue->lock, irq_flags);
	/*
	 * A slot is freed under the lock of the queue it is in, and freed it is of
	 * another generation and of no ring: if both fit, it is ours to remove.
	 */
	if (READ_ONCE(slot->generation) == generation && READ_ONCE(slot->ring) == ring) {
		trace_cancel(slot);
		hft_queue_remove(ring->queue, slot);
		ring->counters.cancelled++;
		hft_slot_free(context, slot);
		err = 0;
	}
	raw_spin_unlock_irqrestore(&ring->queue->lock, irq_flags);
unlock:
	rcu_read_unlock();
	return err;
}

/*
 * Copy a command out of the SQE, which its submitter may still be writing: once,
 * word by word.  @usize bytes are the caller's, @ksize are ours.
 */
static __always_inline int hft_read_payload(void *to, size_t ksize, const struct io_uring_cmd *cmd,
					    size_t usize)
{
	const u64 *from = hft_uring_payload(cmd);
	struct hft_uring_payload copy;
	size_t i;

	if (usize > sizeof(copy))
		return -EINVAL;
	for (i = 0; i < sizeof(copy) / sizeof(u64); i++)
		((u64 *)&copy)[i] = READ_ONCE(from[i]);

	if (usize > ksize && memchr_inv(copy.bytes + ksize, 0, usize - ksize))
		return -E2BIG;
	memcpy(to, &copy, ksize);
	if (usize < ksize)
		memset(to + usize, 0, ksize - usize);
	return 0;
}

int hft_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct hft_context *context = cmd->file->private_data;
	size_t usize = _IOC_SIZE(cmd->cmd_op);
	union {
		struct hft_submit submit;
		struct hft_submit_batch batch;
		struct hft_cancel cancel;
	} u;

	if (!(issue_flags & IO_URING_F_SQE128))
		return -EINVAL;

	switch (cmd->cmd_op & ~IOCSIZE_MASK) {
	case HFT_IOC_SUBMIT & ~IOCSIZE_MASK:
		return hft_read_payload(&u.submit, sizeof(u.submit), cmd, usize) ?:
		       hft_submit(context, &u.submit);
	case HFT_IOC_SUBMIT_BATCH & ~IOCSIZE_MASK:
		return hft_read_payload(&u.batch, sizeof(u.batch), cmd, usize) ?:
		       hft_submit_batch(context, &u.batch);
	case HFT_IOC_CANCEL & ~IOCSIZE_MASK:
		return hft_read_payload(&u.cancel, sizeof(u.cancel), cmd, usize) ?:
		       hft_cancel(context, &u.cancel);
	default:
		return -ENOTTY;
	}
}
