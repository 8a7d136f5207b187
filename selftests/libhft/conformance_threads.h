/* SPDX-License-Identifier: GPL-2.0-only */
/* Several threads, and processes: sleepers, workers, pollers. */
#ifndef SELFTESTS_LIBHFT_CONFORMANCE_THREADS_H
#define SELFTESTS_LIBHFT_CONFORMANCE_THREADS_H

#include "conformance.h"

struct sleeper {
	struct test *t;
	struct hft_ring *ring;
	uint64_t timeout;
	atomic_int ret;
	atomic_int tid;		/* once nothing but the wait is left to do */
	pthread_t thread;
};

#define RUNNING		1000000

static void *sleep_on_ring(void *arg)
{
	struct sleeper *s = arg;
	int ret;

	atomic_store(&s->tid, gettid());
	/* Who looks whether this one waits does so by a wait. */
	do {
		ret = hft_wait(s->ring, s->timeout);
	} while (ret == -EBUSY);
	atomic_store(&s->ret, ret);
	return NULL;
}

/* Does thread @tid of this process sleep? */
static bool is_asleep(int tid)
{
	char path[64], line[256], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fgets(line, sizeof(line), file))
		sscanf(line, "%*d (%*[^)]) %c", &state);
	fclose(file);
	return state == 'S';
}

static void start_sleeper(struct test *t, struct sleeper *s, struct hft_ring *ring)
{
	uint64_t end = patience();

	s->t = t;
	s->ring = ring;
	s->timeout = HFT_WAIT_FOREVER;
	atomic_store(&s->ret, RUNNING);
	atomic_store(&s->tid, 0);
	EQUAL(0, pthread_create(&s->thread, NULL, sleep_on_ring, s));
	do {
		usleep(1000);
	} while ((!atomic_load(&s->tid) || !is_asleep(atomic_load(&s->tid))) && hft_now() < end);
}

static int join_sleeper(struct sleeper *s)
{
	pthread_join(s->thread, NULL);
	return atomic_load(&s->ret);
}

static void case_two_waiters(struct test *t)
{
	uint64_t end = patience();
	struct sleeper s;
	int ret;

	start_sleeper(t, &s, t->ring);
	do {
		usleep(1000);
		ret = hft_wait(t->ring, hft_now() + NSEC_PER_MSEC);
	} while (ret == -ETIMEDOUT && hft_now() < end);
	EQUAL(-EBUSY, ret);
	hft_ring_stop(t->ring);
	EQUAL(-ECANCELED, join_sleeper(&s));
}

static void case_sleeper_is_woken(struct test *t)
{
	struct sleeper s;

	start_sleeper(t, &s, t->ring);
	EQUAL(RUNNING, atomic_load(&s.ret));
	submit_at(t, t->ring, 1, DUE);
	EQUAL(1, join_sleeper(&s));
	CHECK(stats_of(t, 0).wakeups <= 1);
}

/* A sleeper that knows of a task hears of an earlier one. */
static void case_sleeper_hears_of_earlier(struct test *t)
{
	struct sleeper s;

	submit_at(t, t->ring, 1, hft_now() + 1000 * NSEC_PER_SEC);
	start_sleeper(t, &s, t->ring);
	submit_at(t, t->ring, 2, hft_now() + 5 * NSEC_PER_MSEC);
	EQUAL(1, join_sleeper(&s));
	take(t, t->ring, 2);
}

static void case_closed_while_waiting(struct test *t)
{
	struct sleeper s;

	start_sleeper(t, &s, t->ring);
	hft_close(t->h);
	t->h = NULL;
	EQUAL(-ESHUTDOWN, join_sleeper(&s));
}

/* One ring's worker is away; the other's tasks start all the same, and in time. */
static void case_two_rings(struct test *t)
{
	struct hft_ring *ring = open_ring(t, 8, 8, HFT_POLICY_FIFO);
	struct sleeper first, second;

	start_sleeper(t, &first, t->ring);
	start_sleeper(t, &second, ring);
	submit_at(t, ring, 2, hft_now() + 60 * NSEC_PER_MSEC);
	submit_at(t, t->ring, 1, hft_now() + 30 * NSEC_PER_MSEC);
	EQUAL(1, join_sleeper(&first));
	EQUAL(1, join_sleeper(&second));
	take(t, t->ring, 1);
	take(t, ring, 2);

	start_sleeper(t, &second, ring);
	submit_at(t, t->ring, 3, hft_now() + 20 * NSEC_PER_MSEC);
	submit_at(t, ring, 4, hft_now() + 40 * NSEC_PER_MSEC);
	EQUAL(1, join_sleeper(&second));
	EQUAL(1, stats_of(t, 0).in_flight);
	take(t, t->ring, 3);
	take(t, ring, 4);
	hft_ring_close(ring);
}

#define CROWD		3
#define MANY		6000

struct crowd {
	struct test *t;
	atomic_int next;
	atomic_int failed;
};

static void *submit_crowd(void *arg)
{
	struct crowd *crowd = arg;
	struct hft_ring *ring = crowd->t->ring;
	int cookie;

	while ((cookie = atomic_fetch_add(&crowd->next, 1)) < MANY) {
		uint64_t ahead = (uint64_t)(cookie % 7) * 20 * NSEC_PER_USEC;
		struct hft_task task = make_task(ring, (uint64_t)cookie, hft_now() + ahead);
		int ret;

		while ((ret = hft_submit(crowd->t->h, &task, NULL)) == -EDQUOT)
			sched_yield();
		if (ret)
			atomic_fetch_add(&crowd->failed, 1);
	}
	return NULL;
}

static void case_exactly_once(struct test *t)
{
	static unsigned char seen[MANY];
	struct crowd crowd = { .t = t };
	const struct hft_event *event;
	pthread_t thread[CROWD];
	int i, done = 0;

	memset(seen, 0, sizeof(seen));
	for (i = 0; i < CROWD; i++)
		EQUAL(0, pthread_create(&thread[i], NULL, submit_crowd, &crowd));
	while (done < MANY && CHECK(hft_wait(t->ring, patience()) > 0)) {
		while ((event = hft_ring_peek(t->ring))) {
			if (event->cookie >= MANY || seen[event->cookie]++)
				CHECK(!"an event twice, or of nothing");
			hft_ring_advance(t->ring);
			done++;
		}
	}
	for (i = 0; i < CROWD; i++)
		pthread_join(thread[i], NULL);
	EQUAL(0, atomic_load(&crowd.failed));
	EQUAL(MANY, done);
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
}

/* Each task is cancelled by one thread and may be taken by another: it is one of both. */
static void *cancel_all(void *arg)
{
	struct crowd *crowd = arg;
	int i;

	for (i = 0; i < MANY / 4; i++) {
		struct hft_task task = make_task(crowd->t->ring, 1, hft_now() + 3 * NSEC_PER_USEC);
		uint64_t id;
		int ret = hft_submit(crowd->t->h, &task, &id);

		if (ret == -EDQUOT)
			continue;
		if (ret)
			atomic_fetch_add(&crowd->failed, 1);
		else if (!hft_cancel(crowd->t->h, id))
			atomic_fetch_add(&crowd->next, 1);
	}
	hft_ring_stop(crowd->t->ring);
	return NULL;
}

static void count_body(const struct hft_event *event, uint64_t start, void *arg)
{
	int *runs = arg;

	*runs += start >= event->release;
}

static void case_cancel_races(struct test *t)
{
	struct crowd crowd = { .t = t };
	struct hft_stats stats;
	pthread_t thread;
	int runs = 0;

	EQUAL(0, pthread_create(&thread, NULL, cancel_all, &crowd));
	EQUAL(0, hft_ring_run(t->ring, count_body, &runs));
	pthread_join(thread, NULL);
	while (hft_wait(t->ring, hft_now() + 10 * NSEC_PER_MSEC) > 0) {
		hft_ring_advance(t->ring);
		runs++;
	}
	stats = stats_of(t, 0);
	EQUAL(0, atomic_load(&crowd.failed));
	EQUAL(stats.cancelled, atomic_load(&crowd.next));
	EQUAL(stats.dispatched, runs);
	EQUAL(stats.submitted, stats.cancelled + stats.dispatched);
	EQUAL(TASKS, stats.tasks_free);
}

static void atomic_body(const struct hft_event *event, uint64_t start, void *arg)
{
	if (start >= event->release)
		atomic_fetch_add((atomic_int *)arg, 1);
}

static void case_worker(struct test *t)
{
	atomic_int runs = 0;
	HFT_OPTS(hft_worker_opts, opts, .fn = atomic_body, .arg = &runs,
		 .flags = HFT_WORKER_NO_RT | HFT_WORKER_NO_LOCK);
	uint64_t end = patience(), i;
	struct hft_worker *worker;

	EQUAL(0, hft_worker_start(t->ring, &opts, &worker));
	for (i = 0; i < TASKS; i++)
		submit_at(t, t->ring, i, hft_now() + i * 200 * NSEC_PER_USEC);
	while (atomic_load(&runs) < TASKS && hft_now() < end)
		usleep(1000);
	EQUAL(TASKS, atomic_load(&runs));
	EQUAL(0, hft_worker_stop(worker));
	expect_empty(t, t->ring);
}

/* A consumer that never sleeps needs nobody to see what is released. */
static void case_spinning_consumer(struct test *t)
{
	HFT_OPTS(hft_ring_opts, opts, .spin_ns = HFT_SPIN_FOREVER);
	uint64_t end = patience();
	struct hft_ring *ring;

	EQUAL(0, hft_ring_open(t->h, &opts, &ring));
	submit_at(t, t->ring, 1, hft_now() + 5 * NSEC_PER_MSEC);
	while (!hft_ring_peek(t->ring) && hft_now() < end)
		;
	take(t, t->ring, 1);
	submit_at(t, ring, 2, hft_now() + 5 * NSEC_PER_MSEC);
	EQUAL(1, hft_wait(ring, HFT_WAIT_FOREVER));
	take(t, ring, 2);
	EQUAL(-ETIMEDOUT, hft_wait(ring, hft_now() + NSEC_PER_MSEC));
	hft_ring_close(ring);
}

static void case_poll(struct test *t)
{
	struct pollfd pfd = { .fd = hft_ring_fd(t->ring), .events = POLLIN };
	uint64_t i;

	CHECK(pfd.fd >= 0);
	for (i = 0; i < 5; i++) {
		submit_at(t, t->ring, i, hft_now() + (i % 2) * 5 * NSEC_PER_MSEC);
		if (!hft_ring_arm(t->ring))
			EQUAL(1, poll(&pfd, 1, 20000));
		CHECK(hft_ring_peek(t->ring));
		CHECK(hft_ring_arm(t->ring));
		take(t, t->ring, i);
	}
	CHECK(!hft_ring_arm(t->ring));
	EQUAL(0, poll(&pfd, 1, 20));
	/* After it slept for nothing, and with a task that came meanwhile. */
	submit_at(t, t->ring, 7, DUE);
	EQUAL(1, poll(&pfd, 1, 20000));
	take(t, t->ring, 7);
}

static void ignore(int signal)
{
	(void)signal;
}

static void case_signal(struct test *t)
{
	struct sigaction action = { .sa_handler = ignore };
	struct sleeper s;

	EQUAL(0, sigaction(SIGUSR1, &action, NULL));
	start_sleeper(t, &s, t->ring);
	while (atomic_load(&s.ret) == RUNNING) {
		pthread_kill(s.thread, SIGUSR1);
		usleep(10000);
	}
	EQUAL(-EINTR, join_sleeper(&s));
}

/* A child has its parent's handle with the kernel, and none in the parent's memory. */
static void case_fork(struct test *t)
{
	bool kernel = !strcmp(t->backend, "kernel");
	struct hft_task task = make_task(t->ring, 1, DUE);
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		status = hft_submit(t->h, &task, NULL) != (kernel ? 0 : -EOWNERDEAD);
		status += hft_cancel(t->h, 1) != (kernel ? -ENOENT : -EOWNERDEAD);
		status += hft_ring_lead(t->ring) != 0;
		hft_ring_close(t->ring);
		hft_close(t->h);
		_exit(status);
	}
	EQUAL(pid, waitpid(pid, &status, 0));
	EQUAL(0, status);
	if (kernel)
		take(t, t->ring, 1);
	expect_empty(t, t->ring);
	submit_at(t, t->ring, 2, DUE);
	take(t, t->ring, 2);
}

static void case_many_handles(struct test *t)
{
	HFT_OPTS(hft_opts, opts, .backend = t->backend);
	struct hft *handles[8] = { NULL };
	struct hft_ring *rings[8];
	struct hft_task task;
	uint64_t i;

	for (i = 0; i < 8; i++) {
		EQUAL(0, hft_open(&handles[i], &opts));
		EQUAL(0, hft_ring_open(handles[i], NULL, &rings[i]));
		task = make_task(rings[i], i, DUE);
		EQUAL(0, hft_submit(handles[i], &task, NULL));
		EQUAL(0, strcmp(t->backend, hft_backend(handles[i])));
	}
	for (i = 0; i < 8; i++) {
		take(t, rings[i], i);
		expect_empty(t, rings[i]);
		/* In either order */
		if (i % 2)
			hft_ring_close(rings[i]);
		hft_close(handles[i]);
		if (!(i % 2))
			hft_ring_close(rings[i]);
	}
	EQUAL(0, stats_of(t, 0).submitted);
}

#endif /* SELFTESTS_LIBHFT_CONFORMANCE_THREADS_H */
