// SPDX-License-Identifier: GPL-2.0-only
/* The consumer's side of a ring, on pages that the test writes in the kernel's place. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <engine/internal.h>

#define ENTRIES		8
#define NSEC_PER_SEC	1000000000ULL
#define MANY		200000

struct fake {
	struct hft_ring_consumer consumer;
	struct hft_ring_producer producer;
	struct hft_event events[ENTRIES];
	struct hft_ring ring;
};

/* As a ring that has been in use for long: the counts are about to wrap. */
#define START	(UINT32_MAX - 3)

static void fake_init(struct fake *f)
{
	memset(f, 0, sizeof(*f));
	f->consumer.head = START;
	f->producer.tail = START;
	f->ring.consumer = &f->consumer;
	f->ring.producer = &f->producer;
	f->ring.events = f->events;
	f->ring.head = START;
	f->ring.mask = ENTRIES - 1;
	f->ring.fd = -1;
	f->ring.backend = &hft_kernel_backend;
	/* Without levels there is no inbox. */
	hft_inbox_open(&f->ring, 0);
}

static uint32_t fake_in_flight(struct fake *f)
{
	return f->producer.tail - __atomic_load_n(&f->consumer.head, __ATOMIC_ACQUIRE);
}

static void fake_publish(struct fake *f, uint64_t cookie)
{
	uint32_t tail = f->producer.tail;

	f->events[tail % ENTRIES] = (struct hft_event){
		.cookie = cookie,
		.type = HFT_EVENT_TASK,
	};
	__atomic_store_n(&f->producer.tail, tail + 1, __ATOMIC_RELEASE);
}

static void test_empty(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	assert_null(hft_ring_peek(&f.ring));
	assert_null(hft_ring_peek(&f.ring));
}

static void test_order_over_the_wrap(void **state)
{
	const struct hft_event *event;
	uint64_t written = 0, read = 0;
	struct fake f;

	(void)state;
	fake_init(&f);
	while (read < 3 * ENTRIES) {
		while (fake_in_flight(&f) < ENTRIES)
			fake_publish(&f, written++);
		event = hft_ring_peek(&f.ring);
		assert_non_null(event);
		assert_ptr_equal(event, hft_ring_peek(&f.ring));
		assert_int_equal(event->cookie, read);
		hft_ring_advance(&f.ring);
		assert_int_equal(f.consumer.head, (uint32_t)(START + ++read));
	}
}

static void test_wait_counts(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_publish(&f, 1);
	fake_publish(&f, 2);
	assert_int_equal(hft_wait(&f.ring, 0), 2);
	hft_ring_advance(&f.ring);
	assert_int_equal(hft_wait(&f.ring, 0), 1);
	hft_ring_advance(&f.ring);
	/* The kernel is asked, through a descriptor that is none. */
	assert_int_equal(hft_wait(&f.ring, 0), -EBADF);
}

static void test_arm(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	assert_false(hft_ring_arm(&f.ring));
	assert_int_equal(f.consumer.need_wakeup, 1);
	fake_publish(&f, 1);
	assert_true(hft_ring_arm(&f.ring));
	assert_int_equal(f.consumer.need_wakeup, 0);
	hft_ring_advance(&f.ring);
	assert_false(hft_ring_arm(&f.ring));
	f.producer.flags = HFT_RING_MORE;
	assert_true(hft_ring_arm(&f.ring));
	assert_int_equal(f.consumer.need_wakeup, 0);
}

static void *publish_many(void *arg)
{
	struct fake *f = arg;
	uint64_t cookie = 0;

	while (cookie < MANY) {
		if (fake_in_flight(f) == ENTRIES)
			sched_yield();
		else
			fake_publish(f, cookie++);
	}
	return NULL;
}

static void test_exactly_once(void **state)
{
	const struct hft_event *event;
	uint64_t cookie = 0;
	pthread_t thread;
	struct fake f;

	(void)state;
	fake_init(&f);
	assert_int_equal(pthread_create(&thread, NULL, publish_many, &f), 0);
	while (cookie < MANY) {
		event = hft_ring_peek(&f.ring);
		if (!event) {
			sched_yield();
			continue;
		}
		assert_int_equal(event->cookie, cookie++);
		hft_ring_advance(&f.ring);
	}
	pthread_join(thread, NULL);
	assert_null(hft_ring_peek(&f.ring));
}

static void *publish_one(void *arg)
{
	const struct timespec rest = { .tv_nsec = 5000000 };

	nanosleep(&rest, NULL);
	fake_publish(arg, 7);
	return NULL;
}

static void test_spin_finds_an_event(void **state)
{
	pthread_t thread;
	struct fake f;

	(void)state;
	fake_init(&f);
	f.ring.spin_ns = HFT_SPIN_FOREVER;
	assert_int_equal(pthread_create(&thread, NULL, publish_one, &f), 0);
	assert_int_equal(hft_wait(&f.ring, HFT_WAIT_FOREVER), 1);
	assert_int_equal(hft_ring_peek(&f.ring)->cookie, 7);
	pthread_join(thread, NULL);
}

/* What waits for room is pulled by the kernel: a spin would not see it come. */
static void test_spin_ends_for_more(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	f.ring.spin_ns = HFT_SPIN_FOREVER;
	f.producer.flags = HFT_RING_MORE;
	assert_int_equal(hft_wait(&f.ring, HFT_WAIT_FOREVER), -EBADF);
}

struct run {
	struct fake *fake;
	int runs;
	int stop_after;
};

static void run_body(const struct hft_event *event, uint64_t start, void *arg)
{
	struct run *run = arg;

	assert_int_equal(event->cookie, run->runs);
	assert_true(event->result || start >= event->release);
	/* The event is the worker's until the body returns. */
	assert_int_equal(run->fake->consumer.head, (uint32_t)(START + run->runs));
	if (++run->runs == run->stop_after)
		hft_ring_stop(&run->fake->ring);
}

static void test_run_and_stop(void **state)
{
	struct fake f;
	struct run run = { .fake = &f, .stop_after = 3 };
	int i;

	(void)state;
	fake_init(&f);
	for (i = 0; i < 5; i++)
		fake_publish(&f, (uint64_t)i);
	f.events[(START + 1) % ENTRIES].release = hft_now() + 1000000;
	/* This one ended with its CPU: there is no release to wait for. */
	f.events[(START + 2) % ENTRIES].release = UINT64_MAX;
	f.events[(START + 2) % ENTRIES].result = -ENODEV;
	assert_int_equal(hft_ring_run(&f.ring, run_body, &run), 0);
	assert_int_equal(run.runs, 3);
	assert_int_equal(f.consumer.head, (uint32_t)(START + 3));
	assert_int_equal(hft_wait(&f.ring, 0), 2);
}

static void test_run_tells_errors(void **state)
{
	struct fake f;
	struct run run = { .fake = &f };

	(void)state;
	fake_init(&f);
	assert_int_equal(hft_ring_run(&f.ring, run_body, &run), -EBADF);
	assert_non_null(strstr(hft_strerror(-EBADF), "ring"));
}

static void test_worker_options(void **state)
{
	HFT_OPTS(hft_worker_opts, opts, .fn = NULL);
	struct hft_worker *worker;
	struct fake f;

	(void)state;
	fake_init(&f);
	assert_int_equal(hft_worker_start(&f.ring, &opts, &worker), -EINVAL);
	opts.fn = run_body;
	opts.level = HFT_LEVELS;
	assert_int_equal(hft_worker_start(&f.ring, &opts, &worker), -EINVAL);
	opts.level = 0;
	opts.flags = 1U << 31;
	assert_int_equal(hft_worker_start(&f.ring, &opts, &worker), -EINVAL);
	opts.flags = HFT_WORKER_NO_RT | HFT_WORKER_NO_LOCK;
	f.ring.cpu = 100000;
	assert_true(hft_worker_start(&f.ring, &opts, &worker) < 0);
	assert_int_equal(hft_worker_stop(NULL), 0);
}

static void stop_body(const struct hft_event *event, uint64_t start, void *arg)
{
	struct run *run = arg;

	(void)event;
	(void)start;
	run->runs++;
	hft_ring_stop(&run->fake->ring);
}

static void test_worker_runs(void **state)
{
	struct fake f;
	struct run run = { .fake = &f };
	HFT_OPTS(hft_worker_opts, opts, .fn = stop_body, .arg = &run,
		 .flags = HFT_WORKER_NO_RT | HFT_WORKER_NO_LOCK);
	struct hft_worker *worker;

	(void)state;
	fake_init(&f);
	f.ring.cpu = (uint32_t)sched_getcpu();
	fake_publish(&f, 0);
	assert_int_equal(hft_worker_start(&f.ring, &opts, &worker), 0);
	while (__atomic_load_n(&f.consumer.head, __ATOMIC_ACQUIRE) == START)
		sched_yield();
	assert_int_equal(hft_worker_stop(worker), 0);
	assert_int_equal(run.runs, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_order_over_the_wrap),
		cmocka_unit_test(test_wait_counts),
		cmocka_unit_test(test_arm),
		cmocka_unit_test(test_exactly_once),
		cmocka_unit_test(test_spin_finds_an_event),
		cmocka_unit_test(test_spin_ends_for_more),
		cmocka_unit_test(test_run_and_stop),
		cmocka_unit_test(test_run_tells_errors),
		cmocka_unit_test(test_worker_options),
		cmocka_unit_test(test_worker_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
