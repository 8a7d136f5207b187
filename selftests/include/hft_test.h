/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the module share: a context, a ring and its worker, spoken to by
 * the ABI alone.  Functions return 0, a count or a negative errno.
 */
#ifndef HFT_TEST_H
#define HFT_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/hft.h>

#include "scale.h"

#define HFT_TEST_DEVICE	"/dev/hft"
#define HFT_TEST_PAGE	4096

#define NSEC_PER_MSEC	1000000ULL
#define NSEC_PER_SEC	1000000000ULL

#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))

/* A kernel with the checkers built in is ten times slower than one without. */
static inline bool hft_test_slow_kernel(void)
{
	return !access("/sys/kernel/debug/kmemleak", F_OK);
}

static inline uint64_t hft_test_now_on(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static inline uint64_t hft_test_now(void)
{
	return hft_test_now_on(CLOCK_MONOTONIC);
}

static inline void hft_test_sleep(uint64_t ns)
{
	struct timespec ts = { ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
}

/* xorshift64*: S. Vigna, "An experimental exploration of Marsaglia's xorshift generators". */
static inline uint64_t hft_test_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

static inline int hft_test_cpus(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN);
}

static inline int hft_test_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

/* Files */

static inline int hft_test_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	n = n < 0 ? -errno : 0;
	close(fd);
	return n;
}

/* Read up to @size - 1 bytes and end them with a NUL. */
static inline int hft_test_read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, text + length, size - 1 - length)) > 0)
		length += n;
	n = n < 0 ? -errno : 0;
	text[length] = '\0';
	close(fd);
	return n;
}

/* The module */

static inline bool hft_test_module_loaded(void)
{
	return !access("/sys/module/hft", F_OK);
}

/* What it counts as @name; -1: nothing of that name. */
static inline int64_t hft_test_counter(const char *name)
{
	char text[4096], line[64];
	const char *found;

	text[0] = '\n';
	if (hft_test_read_file("/sys/class/misc/hft/events", text + 1, sizeof(text) - 1))
		return -1;
	snprintf(line, sizeof(line), "\n%s ", name);
	found = strstr(text, line);
	return found ? atoll(found + strlen(line)) : -1;
}

static inline int hft_test_insmod(const char *path, const char *parameters)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = syscall(SYS_finit_module, fd, parameters, 0) ? -errno : 0;
	close(fd);
	return err;
}

/* -EWOULDBLOCK: it is in use. */
static inline int hft_test_rmmod(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

static inline int hft_test_module_load_as(const char *parameters)
{
	const char *path = getenv("HFT_KO");

	return hft_test_insmod(path ? path : "/hft.ko", parameters);
}

static inline int hft_test_module_load(void)
{
	return hft_test_module_load_as("late_ns=0");
}

static inline int hft_test_module_unload(void)
{
	return hft_test_rmmod("hft");
}

/* Wait until no file refers to the module. */
static inline int hft_test_await_unused(void)
{
	uint64_t end = hft_test_now() + 2 * NSEC_PER_SEC;
	char text[16];
	int err;

	do {
		err = hft_test_read_file("/sys/module/hft/refcnt", text, sizeof(text));
		if (err || !atoi(text))
			return err;
		hft_test_sleep(NSEC_PER_MSEC);
	} while (hft_test_now() < end);
	return -EBUSY;
}

/* Contexts */

static inline int hft_test_ioctl(int fd, unsigned int cmd, const void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

static inline int hft_test_open(void)
{
	int fd = open(HFT_TEST_DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static inline int hft_test_setup(int context, uint32_t tasks)
{
	struct hft_setup setup = { .tasks = tasks };

	return hft_test_ioctl(context, HFT_IOC_SETUP, &setup);
}

/* Open a context and set it up. */
static inline int hft_test_context(uint32_t tasks)
{
	int context = hft_test_open();
	int err;

	if (context < 0)
		return context;
	err = hft_test_setup(context, tasks);
	if (!err)
		return context;
	close(context);
	return err;
}

/* @number: of a ring, or HFT_STATS_CONTEXT. */
static inline int hft_test_stats(int context, uint32_t number, struct hft_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->ring = number;
	return hft_test_ioctl(context, HFT_IOC_STATS, stats);
}

/* Rings */

struct hft_test_ring {
	int fd;
	struct hft_ring_add add;
	struct hft_ring_consumer *consumer;
	const struct hft_ring_producer *producer;
	const struct hft_event *events;
};

static inline struct hft_ring_add hft_test_ring_default(void)
{
	return (struct hft_ring_add) {
		.entries = 64,
		.window = 64,
		.level_mask = HFT_LEVEL_MASK_ALL,
		.policy = HFT_POLICY_FIFO,
	};
}

static inline void hft_test_ring_unmap(struct hft_test_ring *ring)
{
	if (ring->consumer)
		munmap(ring->consumer, ring->add.consumer_size);
	if (ring->producer)
		munmap((void *)ring->producer, ring->add.pages_size);
	ring->consumer = NULL;
	ring->producer = NULL;
	ring->events = NULL;
}

static inline void hft_test_ring_close(struct hft_test_ring *ring)
{
	hft_test_ring_unmap(ring);
	if (ring->fd > 0)
		close(ring->fd);
	ring->fd = -1;
}

static inline int hft_test_ring_map(struct hft_test_ring *ring)
{
	void *area = mmap(NULL, ring->add.consumer_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			  ring->fd, HFT_RING_OFF_CONSUMER);

	if (area == MAP_FAILED)
		return -errno;
	ring->consumer = area;

	area = mmap(NULL, ring->add.pages_size, PROT_READ, MAP_SHARED, ring->fd,
		    ring->add.pages_off);
	if (area == MAP_FAILED)
		return -errno;
	ring->producer = area;
	ring->events = (const void *)((char *)area + ring->add.events_off);
	return 0;
}

/* Make a ring as @add says and map it. */
static inline int hft_test_ring_make(int context, const struct hft_ring_add *add,
				     struct hft_test_ring *ring)
{
	int err;

	memset(ring, 0, sizeof(*ring));
	ring->add = *add;
	ring->fd = hft_test_ioctl(context, HFT_IOC_RING_ADD, &ring->add);
	if (ring->fd < 0)
		return ring->fd;
	err = hft_test_ring_map(ring);
	if (err)
		hft_test_ring_close(ring);
	return err;
}

/* Make a ring of the usual kind. */
static inline int hft_test_ring_add(int context, uint32_t cpu, uint32_t entries, uint32_t window,
				    uint32_t policy, struct hft_test_ring *ring)
{
	struct hft_ring_add add = hft_test_ring_default();

	add.cpu = cpu;
	add.entries = entries;
	add.window = window;
	add.policy = policy;
	return hft_test_ring_make(context, &add, ring);
}

static inline uint32_t hft_test_flags(const struct hft_test_ring *ring)
{
	return *(const volatile uint32_t *)&ring->producer->flags;
}

static inline uint32_t hft_test_tail(const struct hft_test_ring *ring)
{
	return __atomic_load_n(&ring->producer->tail, __ATOMIC_ACQUIRE);
}

static inline uint32_t hft_test_pending(const struct hft_test_ring *ring)
{
	return hft_test_tail(ring) - ring->consumer->head;
}

static inline void hft_test_advance(struct hft_test_ring *ring, uint32_t n)
{
	__atomic_store_n(&ring->consumer->head, ring->consumer->head + n, __ATOMIC_RELEASE);
}

/* Take the event at the head.  Returns whether there was one. */
static inline bool hft_test_next(struct hft_test_ring *ring, struct hft_event *event)
{
	if (!hft_test_pending(ring))
		return false;
	*event = ring->events[ring->consumer->head & (ring->add.entries - 1)];
	hft_test_advance(ring, 1);
	return true;
}

/* @timeout: absolute, as the ABI has it. */
static inline int hft_test_wait_until(const struct hft_test_ring *ring, uint64_t timeout)
{
	struct hft_wait wait = { .timeout = timeout };

	return hft_test_ioctl(ring->fd, HFT_IOC_WAIT, &wait);
}

static inline int hft_test_wait(const struct hft_test_ring *ring, uint64_t ns)
{
	return hft_test_wait_until(ring, ns ? hft_test_now() + ns : 0);
}

/* Wait up to @ns for an event and take it. */
static inline int hft_test_take(struct hft_test_ring *ring, struct hft_event *event, uint64_t ns)
{
	int ret = hft_test_wait(ring, ns);

	if (ret < 0)
		return ret;
	return hft_test_next(ring, event) ? 0 : -EPROTO;
}

/* Tasks */

static inline struct hft_task hft_test_task(uint32_t ring, uint64_t cookie, uint64_t release)
{
	return (struct hft_task) {
		.cookie = cookie,
		.release = release,
		.ring = ring,
		.level = HFT_LEVEL_NORMAL,
	};
}

/* @id may be NULL. */
static inline int hft_test_submit(int context, const struct hft_task *task, int64_t *id)
{
	struct hft_submit submit = { .task = *task, .result = (uintptr_t)id };

	return hft_test_ioctl(context, HFT_IOC_SUBMIT, &submit);
}

static inline int hft_test_submit_batch(int context, const struct hft_task *tasks,
					int64_t *results, uint32_t nr)
{
	struct hft_submit_batch batch = {
		.tasks = (uintptr_t)tasks,
		.results = (uintptr_t)results,
		.nr = nr,
		.task_size = sizeof(*tasks),
	};

	return hft_test_ioctl(context, HFT_IOC_SUBMIT_BATCH, &batch);
}

static inline int hft_test_cancel(int context, uint64_t id)
{
	struct hft_cancel cancel = { .task = id };

	return hft_test_ioctl(context, HFT_IOC_CANCEL, &cancel);
}

/* Wait until @nr tasks of a ring are released and wait for room. */
static inline int hft_test_await_ready(int context, uint32_t number, uint64_t nr)
{
	uint64_t end = hft_test_now() + 10 * NSEC_PER_SEC;
	struct hft_stats stats;
	int err;

	do {
		err = hft_test_stats(context, number, &stats);
		if (err)
			return err;
		if (stats.ready == nr)
			return 0;
		hft_test_sleep(NSEC_PER_MSEC);
	} while (hft_test_now() < end);
	return -ETIMEDOUT;
}

#endif /* HFT_TEST_H */
