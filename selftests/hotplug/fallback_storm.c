// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings with a fallback ring under load while their CPU goes and comes: no task is lost, none
 * runs twice; nor when their process is killed or closes them.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "fallback.h"

/*
 * Under load: submitted, cancelled and modified while the CPU goes and comes.  Each task
 * that was taken has one event that says to run it, or was cancelled; none has both.
 */
#define STORM_IDS	64

struct storm {
	int context;
	atomic_bool stop;
	uint64_t taken;
	uint64_t cancelled;
	int err;
	unsigned char *state;	/* of each cookie: bit 0: event, bit 1: cancelled */
};

#define STORM_MOST	(1U << 22)

static struct hft_task storm_task(uint64_t cookie, uint64_t *random)
{
	uint64_t in = hft_test_random(random) % (4 * NSEC_PER_MSEC);
	struct hft_task task = hft_test_task(1, cookie, hft_test_now() + in);

	task.flags = hft_test_random(random) % 4 ? 0 : HFT_TASK_TRACK;
	task.level = hft_test_random(random) % HFT_LEVELS;
	if (!(hft_test_random(random) % 8))
		task.ring = 0;
	return task;
}

/* -ENOENT: it was dispatched.  Any other error is one. */
static int storm_change(struct storm *storm, uint64_t id, uint64_t cookie, uint64_t *random)
{
	struct hft_modify modify = { .task = id, .fields = HFT_MODIFY_RELEASE };
	int err;

	if (hft_test_random(random) & 1) {
		err = hft_test_cancel(storm->context, id);
		if (!err) {
			storm->cancelled++;
			__atomic_fetch_or(&storm->state[cookie], 2, __ATOMIC_RELAXED);
		}
	} else {
		modify.release = hft_test_now() + NSEC_PER_MSEC;
		err = hft_test_ioctl(storm->context, HFT_IOC_MODIFY, &modify);
	}
	return err == -ENOENT ? 0 : err;
}

static void *storm_run(void *arg)
{
	struct storm *storm = arg;
	uint64_t random = 0x68667439;
	uint64_t cookies[STORM_IDS] = {};
	int64_t ids[STORM_IDS] = {};
	struct hft_task task;
	int err, i;

	while (!atomic_load(&storm->stop) && !storm->err && storm->taken < STORM_MOST) {
		task = storm_task(storm->taken, &random);
		i = storm->taken % STORM_IDS;
		/* Chained now and then to one that may be anywhere by now. */
		if (task.flags && hft_test_random(&random) & 1)
			task.after = ids[hft_test_random(&random) % STORM_IDS];
		err = hft_test_submit(storm->context, &task, &ids[i]);
		if (!err) {
			cookies[i] = storm->taken++;
			i = hft_test_random(&random) % STORM_IDS;
			if (ids[i] && !(hft_test_random(&random) % 4))
				storm->err = storm_change(storm, ids[i], cookies[i], &random);
		} else if (err == -EDQUOT) {
			hft_test_sleep(100000);
		} else if (!task.after || (err != -ENOENT && err != -EINVAL && err != -EMLINK)) {
			storm->err = err;
		} else {
			ids[i] = 0;
		}
	}
	return NULL;
}

/* Returns how many there were, or -1. */
static int storm_take(struct hft_test_ring *ring, struct storm *storm, uint64_t *aborted)
{
	struct hft_event event;
	int n = 0;

	hft_test_wait(ring, 0);
	while (hft_test_next(ring, &event)) {
		n++;
		if (event.result == -ECANCELED)
			(*aborted)++;
		else if (event.result)
			return -1;
		if (__atomic_fetch_or(&storm->state[event.cookie % STORM_MOST], 1,
				      __ATOMIC_RELAXED))
			return -1;
	}
	return n;
}

TEST_F(fallback, cycles_under_load)
{
	struct storm storm = { .context = self->context };
	int cycles = hft_test_scaled(200), i, n, idle = 0;
	uint64_t events[2] = {}, aborted = 0, end, cookie;
	struct hft_test_ring *rings[] = { &self->spare, &self->ring };
	struct hft_stats stats;
	pthread_t thread;

	SKIP_IF_ALONE();
	if (hft_test_slow_kernel())
		cycles = cycles / 8 + 1;
	storm.state = calloc(STORM_MOST, 1);
	ASSERT_NE(NULL, storm.state);
	ASSERT_EQ(0, pthread_create(&thread, NULL, storm_run, &storm));
	for (i = 0; i < 2 * cycles; i++) {
		ASSERT_EQ(0, set_online(self->cpu, i & 1));
		end = hft_test_now() + 10 * NSEC_PER_MSEC;
		while (hft_test_now() < end) {
			for (n = 0; n < 2; n++) {
				int ret = storm_take(rings[n], &storm, &aborted);

				ASSERT_LE(0, ret);
				events[n] += ret;
			}
			hft_test_wait(&self->spare, NSEC_PER_MSEC);
		}
	}
	atomic_store(&storm.stop, true);
	pthread_join(thread, NULL);
	ASSERT_EQ(0, storm.err);
	while (idle < 100 && events[0] + events[1] + storm.cancelled < storm.taken) {
		n = storm_take(rings[0], &storm, &aborted);
		ASSERT_LE(0, n);
		events[0] += n;
		idle = n ? 0 : idle + 1;
		n = storm_take(rings[1], &storm, &aborted);
		ASSERT_LE(0, n);
		events[1] += n;
		hft_test_sleep(10 * NSEC_PER_MSEC);
	}
	/* What was consumed is noticed when its worker looks. */
	ASSERT_EQ(0, storm_take(rings[0], &storm, &aborted));
	ASSERT_EQ(0, storm_take(rings[1], &storm, &aborted));
	TH_LOG("%d cycles, %llu tasks: %llu cancelled, %llu and %llu events, %llu after those",
	       cycles, (unsigned long long)storm.taken, (unsigned long long)storm.cancelled,
	       (unsigned long long)events[0], (unsigned long long)events[1],
	       (unsigned long long)aborted);
	for (cookie = 0; cookie < storm.taken; cookie++) {
		ASSERT_NE(0, storm.state[cookie])
			TH_LOG("task %llu is lost", (unsigned long long)cookie);
		ASSERT_NE(3, storm.state[cookie])
			TH_LOG("task %llu was cancelled, and ran", (unsigned long long)cookie);
	}
	ASSERT_EQ(storm.taken, events[0] + events[1] + storm.cancelled);
	ASSERT_LT(0, events[1]);
	ASSERT_EQ(0, hft_test_stats(self->context, HFT_STATS_CONTEXT, &stats));
	ASSERT_EQ(storm.taken, stats.submitted);
	ASSERT_EQ(storm.cancelled, stats.cancelled);
	ASSERT_EQ(TASKS, stats.tasks_free);
	free(storm.state);
}

/* A process with tasks of all kinds, until it is killed. */
static void live(int cpu, uint64_t random)
{
	struct hft_test_ring rings[2];
	struct hft_event event;
	struct hft_task task;
	uint64_t i;
	int64_t id;
	int context = hft_test_context(200);

	if (context < 0 || hft_test_ring_add(context, 0, 64, 4, HFT_POLICY_EDF, &rings[0]) ||
	    add_ring(context, cpu, 4, 0, &rings[1]))
		_exit(1);
	for (i = 0;; i++) {
		task = storm_task(i, &random);
		switch (hft_test_random(&random) % 4) {
		case 0:
			task.flags = HFT_TASK_PERIODIC | HFT_TASK_CATCH_UP;
			task.period = 100000;
			break;
		case 1:
			task.flags = HFT_TASK_TRACK;
			task.after = i ? id : 0;
			break;
		}
		hft_test_submit(context, &task, &id);
		if (rings[i & 1].fd >= 0 && !hft_test_wait(&rings[i & 1], 0))
			continue;
		if (rings[i & 1].fd >= 0)
			hft_test_next(&rings[i & 1], &event);
		if (i == 5000)
			hft_test_ring_close(&rings[random & 1]);
		if (!(i % 13))
			hft_test_cancel(context, id);
	}
}

TEST_F(fallback, killed_and_closed)
{
	int rounds = hft_test_scaled(40), i;
	uint64_t random = 0x68667440;

	SKIP_IF_ALONE();
	if (hft_test_slow_kernel())
		rounds = rounds / 4 + 1;
	for (i = 0; i < rounds; i++) {
		pid_t children[2];
		int n;

		for (n = 0; n < 2; n++) {
			children[n] = fork();
			ASSERT_LE(0, children[n]);
			if (!children[n])
				live(self->cpu, random + i * 2 + n);
		}
		hft_test_sleep(hft_test_random(&random) % (5 * NSEC_PER_MSEC));
		ASSERT_EQ(0, set_online(self->cpu, false));
		for (n = 0; n < 2; n++) {
			kill(children[n], SIGKILL);
			ASSERT_EQ(children[n], waitpid(children[n], NULL, 0));
		}
		ASSERT_EQ(0, set_online(self->cpu, true));
	}
	hft_test_ring_close(&self->ring);
	hft_test_ring_close(&self->spare);
	close(self->context);
	self->context = -1;
	ASSERT_EQ(0, hft_test_await_unused());
	ASSERT_EQ(0, hft_test_module_unload());
	ASSERT_EQ(0, hft_test_module_load());
}

TEST_HARNESS_MAIN
