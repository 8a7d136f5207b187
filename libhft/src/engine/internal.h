/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the engine share.
 *
 * Barriers between a worker and the kernel (uapi/linux/hft.h has the other half):
 * the tail is loaded with acquire before the events are read; the head is stored
 * with release after the task has run; a worker that is about to sleep in poll
 * stores need_wakeup, executes a full barrier and looks at the tail again.
 */
#ifndef HFT_ENGINE_INTERNAL_H
#define HFT_ENGINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <liburing.h>
#include <hft/hft.h>

#include "../api.h"

struct hft {
	int fd;
	struct hft_query query;
	hft_warn_fn warn;
	void *warn_arg;
	unsigned int forks;		/* hft_forks when it was opened */

	/* The submission queue: whoever sets @busy has it, others use ioctls. */
	atomic_flag busy;
	bool have_uring;
	bool sqpoll;
	bool registered;		/* the io_uring's descriptor, in @owner */
	uint64_t owner;			/* the thread that may use it, or HFT_NOBODY */
	struct io_uring uring;
	struct io_uring plain;		/* without the registration, to close it */
};

struct hft_ring {
	struct hft_ring_consumer *consumer;
	const struct hft_ring_producer *producer;
	const struct hft_event *events;
	uint32_t head;			/* ours: the shared one is for the kernel */
	uint32_t mask;
	uint64_t spin_ns;
	atomic_bool stop;

	struct hft *h;
	int fd;
	uint32_t number;
	uint32_t cpu;
	uint32_t level_mask;
	unsigned int forks;		/* hft_forks when it was opened */
	uint64_t lead_ns;
	size_t page_size;
	size_t pages_size;
	void *pages;
};

/* error.c */
struct hft_error {
	int err;			/* positive */
	char text[256];
};

int hft_fail(int err, const char *format, ...) __attribute__((format(printf, 2, 3), cold));
void hft_save_error(struct hft_error *error);
int hft_take_error(const struct hft_error *error);

/* open.c */
int hft_read_opts(void *opts, size_t size, const void *user);
int hft_context_ioctl(struct hft *h, unsigned long op, void *arg);

/* ring.c */
bool hft_ring_take_stop(struct hft_ring *ring);

/* Was hft_ring_stop() called?  Says so once. */
static inline bool hft_ring_stopped(struct hft_ring *ring)
{
	return atomic_load_explicit(&ring->stop, memory_order_acquire) && hft_ring_take_stop(ring);
}

/* submit.c */
#define HFT_NOBODY	UINT64_MAX

extern unsigned int hft_forks;

void hft_watch_forks(void);

/* Is what was opened at @forks from a process that this one was forked from? */
static inline bool hft_is_inherited(unsigned int forks)
{
	return forks != hft_forks;
}

int hft_uring_open(struct hft *h, const struct hft_opts *opts);
void hft_uring_close(struct hft *h);

/* clock.c */
int hft_clock_open(const char *device);
void hft_clock_close(void);
void hft_clock_maintain(void);

/* doctor.c */
void hft_warn(struct hft *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
void hft_examine(struct hft *h);

/* worker.c */
int hft_become_worker(uint32_t cpu, uint32_t level, uint32_t flags);
uint32_t hft_top_level(uint32_t level_mask);

/* lead.c */
int hft_measure_lead(struct hft *h, const struct hft_ring_opts *opts, uint64_t *lead_ns);

#endif /* HFT_ENGINE_INTERNAL_H */
