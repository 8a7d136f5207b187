/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hft-bench: what its groups of figures share.
 *
 * A group prints lines that bench.sh reads:
 *
 *   figure NAME VALUE          a row of the table
 *   peer NAME VALUE PEER...    what another way to do it reaches in the same boot
 *   note TEXT...               a fact that goes with the figures
 *
 * Everything runs on one CPU in one thread, as a worker that the user supplies,
 * so that a peer and hft differ in nothing but the way to wait.
 */
#ifndef HFT_BENCH_H
#define HFT_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hft/hft.h>

#define NSEC_PER_SEC	1000000000ULL
#define NSEC_PER_MSEC	1000000ULL
#define NSEC_PER_USEC	1000ULL

#define BENCH_PRIORITY	80U

extern unsigned int bench_cpu;

/* SCHED_FIFO, this thread; 0: SCHED_OTHER */
int bench_set_priority(unsigned int priority);

/**
 * struct samples - values in the order they were taken
 * @value: them
 * @nr: how many there are
 * @size: how many there is room for
 */
struct samples {
	int64_t *value;
	size_t nr;
	size_t size;
};

int samples_init(struct samples *s, size_t size);
void samples_free(struct samples *s);
void samples_add(struct samples *s, int64_t value);
/* Exact, by nearest rank; sorts the samples. */
int64_t samples_percentile(struct samples *s, unsigned int ppm);

#define PPM_P50		500000U
#define PPM_P99		990000U
#define PPM_P999	999000U

void print_figure(const char *name, double value);
void print_peer(const char *name, double value, const char *peer);
__attribute__((format(printf, 1, 2))) void print_note(const char *format, ...);

/**
 * struct schedule - when to start
 * @first: the first release
 * @period: ns from one to the next
 * @nr: how many
 */
struct schedule {
	uint64_t first;
	uint64_t period;
	unsigned int nr;
};

struct schedule schedule_make(unsigned int rate_hz, unsigned int nr);

static inline uint64_t schedule_release(const struct schedule *s, unsigned int i)
{
	return s->first + i * s->period;
}

/* Another way to wait: fills @error with actual start - release, ns. */
struct peer {
	const char *name;
	int (*run)(const struct schedule *s, struct samples *error);
	bool spins;		/* costs a CPU's time: take fewer samples */
};

extern const struct peer peers[];
extern const unsigned int nr_peers;
extern const struct peer *const peer_nanosleep;
extern const struct peer peer_cyclictest;

/* When peer_cyclictest, which takes no first release, can start; it must begin at once. */
struct schedule cyclictest_schedule(unsigned int rate_hz, unsigned int nr);

int sleep_until(uint64_t when);

/* A context with one ring on bench_cpu. */
struct session {
	struct hft *hft;
	struct hft_ring *ring;
};

struct session_opts {
	uint32_t tasks;
	uint32_t entries;	/* 0: the library's */
	uint64_t lead_ns;
	uint64_t spin_ns;
};

int session_open(struct session *s, const struct session_opts *opts);
void session_close(struct session *s);
int session_submit(struct session *s, const struct schedule *schedule);
/* Submit a task for each release and run them in this thread. */
int session_run(struct session *s, const struct schedule *schedule, struct samples *error);
/* The same with one task at a time, as a peer has one timer: each submits the next. */
int session_run_singly(struct session *s, const struct schedule *schedule, struct samples *error);

int busy_cpu_start(unsigned int percent);
void busy_cpu_stop(int pid);

/* Groups */
int bench_dispatch(void);
int bench_pmu(void);
int bench_load(void);
int bench_wake(void);
int bench_sched(void);
int bench_submit(void);
int bench_ring(void);
int bench_miss(void);
int bench_response(void);
int bench_memory(void);
int bench_ready(void);
int bench_detect(void);
int bench_monitor(void);
int bench_preempt(void);
int bench_rate(void);
int bench_halt(void);
int bench_callback(void);
int bench_fault(void);
int bench_pause(void);
int bench_sink(void);

#endif /* HFT_BENCH_H */
