// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Performance counters of a thread.  Each is pinned: it has a counter of the hardware to
 * itself, or none.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/perf_event.h>
#include <hft/metrics.h>

#include "../api.h"
#include "../options.h"

/**
 * struct pmc_counter - a counter
 * @fd: its descriptor, or -1
 * @page: of perf, to read it by an instruction; NULL: it can not be
 */
struct pmc_counter {
	int fd;
	const struct perf_event_mmap_page *page;
};

/**
 * struct pmc_total - what the tasks of a class have come to
 * @version: odd while the thread writes the rest
 * @runs: as of &struct hft_pmc_sum, as are the others
 * @unread: likewise
 * @counts: likewise
 * @valid: likewise
 */
struct pmc_total {
	_Atomic uint32_t version;
	_Atomic uint32_t valid;
	_Atomic uint64_t runs;
	_Atomic uint64_t unread;
	_Atomic uint64_t counts[HFT_METRICS];
};

/**
 * struct hft_pmc - counters of a thread
 * @counters: in the order of the options
 * @valid: bit n: @counters[n] counts
 * @rdpmc: all that count can be read by an instruction
 * @begun: what hft_pmc_begin() could read
 * @before: what it has read
 * @totals: by class
 */
struct hft_pmc {
	struct pmc_counter counters[HFT_METRICS];
	uint32_t valid;
	bool rdpmc;
	uint32_t begun;
	uint64_t before[HFT_METRICS];
	struct pmc_total totals[HFT_CLASSES];
};

static const struct hft_pmc_opts defaults = {
	.nr = HFT_METRICS,
	.type = { PERF_TYPE_HARDWARE, PERF_TYPE_HARDWARE, PERF_TYPE_HARDWARE,
		  PERF_TYPE_HARDWARE },
	.config = { PERF_COUNT_HW_CACHE_REFERENCES, PERF_COUNT_HW_CACHE_MISSES,
		    PERF_COUNT_HW_CPU_CYCLES, PERF_COUNT_HW_INSTRUCTIONS },
};

static int pmc_open_event(const struct hft_pmc_opts *opts, uint32_t n)
{
	struct perf_event_attr attr = {
		.type = opts->type[n],
		.size = sizeof(attr),
		.config = opts->config[n],
		.pinned = 1,
		.exclude_kernel = !(opts->flags & HFT_PMC_KERNEL),
		.exclude_hv = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* By a system call.  Nothing comes from one that is pinned and has lost its counter. */
static bool pmc_read_slowly(const struct pmc_counter *counter, uint64_t *count)
{
	return read(counter->fd, count, sizeof(*count)) == sizeof(*count);
}

static void pmc_close_event(struct pmc_counter *counter)
{
	if (counter->page)
		munmap((void *)counter->page, (size_t)sysconf(_SC_PAGESIZE));
	if (counter->fd >= 0)
		close(counter->fd);
	*counter = (struct pmc_counter){ .fd = -1 };
}

/* Open those that there are and that find a counter. */
static void pmc_open_all(struct hft_pmc *pmc, const struct hft_pmc_opts *opts)
{
	uint64_t count;
	uint32_t i;

	for (i = 0; i < opts->nr; i++) {
		struct pmc_counter *counter = &pmc->counters[i];

		counter->fd = pmc_open_event(opts, i);
		if (counter->fd < 0)
			continue;
		if (pmc_read_slowly(counter, &count))
			pmc->valid |= 1U << i;
		else
			pmc_close_event(counter);
	}
}

#ifdef __x86_64__
#define HAVE_RDPMC	1

static inline uint64_t rdpmc(uint32_t counter)
{
	uint32_t low, high;

	__asm__ __volatile__("rdpmc" : "=a" (low), "=d" (high) : "c" (counter));
	return low | (uint64_t)high << 32;
}
#else
#define HAVE_RDPMC	0

static inline uint64_t rdpmc(uint32_t counter)
{
	(void)counter;
	return 0;
}
#endif

/*
 * As include/uapi/linux/perf_event.h describes it for struct perf_event_mmap_page.  The
 * kernel writes the page on the thread's own CPU, so that only the compiler is to be held.
 * Returns whether the counter is on the CPU, where it must be for this.
 */
static inline bool pmc_read_counter(const struct perf_event_mmap_page *page, uint64_t *count)
{
	const volatile struct perf_event_mmap_page *p = page;
	uint32_t lock, index;
	uint64_t value;

	do {
		lock = p->lock;
		atomic_signal_fence(memory_order_seq_cst);
		index = p->index;
		value = (uint64_t)p->offset;
		if (p->cap_user_rdpmc && index) {
			uint32_t unused = 64 - p->pmc_width;

			value += (uint64_t)((int64_t)(rdpmc(index - 1) << unused) >> unused);
		} else {
			index = 0;
		}
		atomic_signal_fence(memory_order_seq_cst);
	} while (p->lock != lock);
	*count = value;
	return index;
}

/* Can all that count be read by an instruction? */
static bool pmc_map_all(struct hft_pmc *pmc)
{
	uint64_t count;
	uint32_t i;

	for (i = 0; i < HFT_METRICS; i++) {
		struct pmc_counter *counter = &pmc->counters[i];
		void *page;

		if (counter->fd < 0)
			continue;
		page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED,
			    counter->fd, 0);
		if (page == MAP_FAILED)
			return false;
		counter->page = page;
		if (!pmc_read_counter(counter->page, &count))
			return false;
	}
	return pmc->valid;
}

static int pmc_read_opts(struct hft_pmc_opts *opts, const struct hft_pmc_opts *user)
{
	uint32_t i;
	int err = hft_read_opts(opts, sizeof(*opts), user);

	if (err)
		return err;
	if (opts->nr > HFT_METRICS ||
	    opts->flags & ~(HFT_PMC_NO_RDPMC | HFT_PMC_NONE | HFT_PMC_KERNEL))
		return hft_fail(EINVAL, "%u counters (of %u), flags 0x%x", opts->nr, HFT_METRICS,
				opts->flags);
	if (opts->nr)
		return 0;
	for (i = 0; i < HFT_METRICS; i++) {
		opts->type[i] = defaults.type[i];
		opts->config[i] = defaults.config[i];
	}
	opts->nr = defaults.nr;
	return 0;
}

/**
 * hft_pmc_open() - have counters of the calling thread
 * @user_opts: options, or NULL
 * @out: them
 *
 * Those that the machine does not have, or not free, or that the caller may not have
 * (/proc/sys/kernel/perf_event_paranoid), are left out: hft_pmc_valid().  Allocates; enters
 * the kernel.
 *
 * Return: 0, or -EINVAL more than %HFT_METRICS or an unknown flag, -ENOMEM, -E2BIG options
 * of a newer library.
 */
HFT_API int hft_pmc_open(const struct hft_pmc_opts *user_opts, struct hft_pmc **out)
{
	struct hft_pmc_opts opts;
	struct hft_pmc *pmc;
	uint32_t i;
	int err = pmc_read_opts(&opts, user_opts);

	if (err)
		return err;
	pmc = calloc(1, sizeof(*pmc));
	if (!pmc)
		return hft_fail(ENOMEM, "counters of a thread");
	for (i = 0; i < HFT_METRICS; i++)
		pmc->counters[i].fd = -1;
	if (!(opts.flags & HFT_PMC_NONE))
		pmc_open_all(pmc, &opts);
	if (HAVE_RDPMC && !(opts.flags & HFT_PMC_NO_RDPMC))
		pmc->rdpmc = pmc_map_all(pmc);
	*out = pmc;
	return 0;
}

/**
 * hft_pmc_close() - have counters no more
 * @pmc: them, or NULL
 *
 * Any thread, when nobody uses them.  Enters the kernel.
 */
HFT_API void hft_pmc_close(struct hft_pmc *pmc)
{
	uint32_t i;

	if (!pmc)
		return;
	for (i = 0; i < HFT_METRICS; i++)
		pmc_close_event(&pmc->counters[i]);
	free(pmc);
}

/**
 * hft_pmc_way() - how counters are read
 * @pmc: counters
 *
 * Return: &enum hft_pmc_way.
 */
HFT_API enum hft_pmc_way hft_pmc_way(const struct hft_pmc *pmc)
{
	if (!pmc->valid)
		return HFT_PMC_ABSENT;
	return pmc->rdpmc ? HFT_PMC_RDPMC : HFT_PMC_READ;
}

/**
 * hft_pmc_valid() - which of the counters there are
 * @pmc: counters
 *
 * Return: bit n: counter n of the options.
 */
HFT_API uint32_t hft_pmc_valid(const struct hft_pmc *pmc)
{
	return pmc->valid;
}

static uint32_t pmc_read_each(const struct hft_pmc *pmc, uint64_t counts[HFT_METRICS])
{
	uint32_t i, valid = 0;

	for (i = 0; i < HFT_METRICS; i++) {
		counts[i] = 0;
		if (pmc->counters[i].fd >= 0 && pmc_read_slowly(&pmc->counters[i], &counts[i]))
			valid |= 1U << i;
	}
	return valid;
}

/* Returns false when one is not on the CPU, as one that is lost. */
static bool pmc_read_quickly(const struct hft_pmc *pmc, uint64_t counts[HFT_METRICS])
{
	uint32_t i;

	for (i = 0; i < HFT_METRICS; i++) {
		counts[i] = 0;
		if (pmc->counters[i].page &&
		    !pmc_read_counter(pmc->counters[i].page, &counts[i]))
			return false;
	}
	return true;
}

/**
 * hft_pmc_read() - read counters
 * @pmc: counters of the calling thread
 * @counts: what each has counted since some time before; 0 where it has not
 *
 * Does not enter the kernel if hft_pmc_way() is %HFT_PMC_RDPMC, but for when a counter has
 * left the CPU.
 *
 * Return: bit n: @counts[n] was read.
 */
HFT_API uint32_t hft_pmc_read(struct hft_pmc *pmc, uint64_t counts[HFT_METRICS])
{
	if (__builtin_expect(pmc->rdpmc, 1) && pmc_read_quickly(pmc, counts))
		return pmc->valid;
	return pmc_read_each(pmc, counts);
}

/**
 * hft_pmc_begin() - a task begins to run
 * @pmc: counters of the calling thread
 */
HFT_API void hft_pmc_begin(struct hft_pmc *pmc)
{
	pmc->begun = hft_pmc_read(pmc, pmc->before);
}

/* By the one thread that does: nothing is read, changed and written at a time. */
static void add(_Atomic uint64_t *to, uint64_t n)
{
	atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static void pmc_total_add(const struct hft_pmc *pmc, struct pmc_total *total,
			  const uint64_t after[HFT_METRICS], uint32_t valid)
{
	bool first = !atomic_load_explicit(&total->runs, memory_order_relaxed);
	uint32_t i, both;

	if (!valid) {
		add(&total->unread, 1);
		return;
	}
	both = first ? valid : valid & atomic_load_explicit(&total->valid, memory_order_relaxed);
	atomic_store_explicit(&total->valid, both, memory_order_relaxed);
	add(&total->runs, 1);
	for (i = 0; i < HFT_METRICS; i++) {
		if (valid & 1U << i)
			add(&total->counts[i], after[i] - pmc->before[i]);
	}
}

/**
 * hft_pmc_end() - the task of hft_pmc_begin() has run
 * @pmc: counters of the calling thread
 * @task_class: of which sum it is; from %HFT_CLASSES on: of none
 *
 * Wait-free.
 */
HFT_API void hft_pmc_end(struct hft_pmc *pmc, uint32_t task_class)
{
	uint64_t after[HFT_METRICS];
	uint32_t valid = hft_pmc_read(pmc, after) & pmc->begun;
	struct pmc_total *total;
	uint32_t version;

	if (task_class >= HFT_CLASSES)
		return;
	total = &pmc->totals[task_class];
	version = atomic_load_explicit(&total->version, memory_order_relaxed);
	atomic_store_explicit(&total->version, version + 1, memory_order_relaxed);
	/* Pairs with the acquire fence of hft_pmc_sum(). */
	atomic_thread_fence(memory_order_release);
	pmc_total_add(pmc, total, after, valid);
	atomic_store_explicit(&total->version, version + 2, memory_order_release);
}

static uint64_t get(const _Atomic uint64_t *from)
{
	return atomic_load_explicit(from, memory_order_relaxed);
}

/**
 * hft_pmc_sum() - what the tasks of a class have come to
 * @pmc: counters of any thread
 * @task_class: of hft_pmc_end()
 * @sum: the answer
 *
 * Lock-free; does not hold the thread that counts up.
 *
 * Return: 0, or -EINVAL no such class, or @sum has no size.
 */
HFT_API int hft_pmc_sum(const struct hft_pmc *pmc, uint32_t task_class, struct hft_pmc_sum *sum)
{
	struct hft_pmc_sum answer = { 0 };
	const struct pmc_total *total;
	uint32_t version, i;
	int err = hft_check_answer(sum);

	if (err)
		return err;
	if (task_class >= HFT_CLASSES)
		return hft_fail(EINVAL, "class %u: they are below %u", task_class, HFT_CLASSES);
	total = &pmc->totals[task_class];
	do {
		version = atomic_load_explicit(&total->version, memory_order_acquire);
		answer.runs = get(&total->runs);
		answer.unread = get(&total->unread);
		for (i = 0; i < HFT_METRICS; i++)
			answer.counts[i] = get(&total->counts[i]);
		answer.valid = atomic_load_explicit(&total->valid, memory_order_relaxed);
		/* Pairs with the release fence of hft_pmc_end(). */
		atomic_thread_fence(memory_order_acquire);
	} while (version & 1 ||
		 version != atomic_load_explicit(&total->version, memory_order_relaxed));
	hft_answer(sum, &answer, sizeof(answer));
	return 0;
}
