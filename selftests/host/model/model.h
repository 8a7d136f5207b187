/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model checker for the lock-free parts of the library: it runs a scenario again and
 * again, each time in another interleaving of its threads, until it has had all of those
 * with few preemptions (M. Musuvathi and S. Qadeer, "Iterative Context Bounding for
 * Systematic Testing of Multithreaded Programs", PLDI 2007), or a number of random ones
 * (S. Burckhardt, P. Kothari, M. Musuvathi and S. Nagarakatte, "A Randomized Scheduler
 * with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010).
 *
 * The sources are the library's own.  The compiler's instrumentation for the thread
 * sanitizer has each of their accesses to memory call a function: here it is one of
 * memory.c, not of the sanitizer.  Threads are fibers of one thread; mutexes, futexes,
 * membarrier(2), the clock and thread-local variables are the model's (system.c).
 *
 * Memory is that of x86: a store goes by way of the thread's store buffer, first in,
 * first out, which locked instructions, fences and system calls empty, and which else is
 * emptied whenever the schedule has it be (P. Sewell et al., "x86-TSO", CACM 53 (7),
 * 2010).  What is weaker elsewhere is seen as a data race: two accesses, of which one is
 * a write and one is not atomic, that no acquire and release order.
 *
 * Failures: a check of the scenario, a deadlock, a livelock, a data race, memory used after
 * it was freed.  Each prints its schedule, by which it comes again:
 *
 *	HFT_MODEL_REPLAY="..." build/selftests/host/model/NAME
 *
 * with which that is all that is run of the scenario, and each step is printed.
 */
#ifndef HFT_MODEL_H
#define HFT_MODEL_H

#include <stdbool.h>
#include <stdint.h>

/* What is wrong with the code on purpose. */
enum model_fault {
	MODEL_SOUND,
	MODEL_NO_FENCE,		/* fences of a function do nothing */
	MODEL_RELAXED,		/* its atomic operations are relaxed */
	MODEL_TORN,		/* its read-modify-writes are a load, then a store */
	MODEL_NO_MEMBARRIER,	/* of no function */
};

struct model_mutant {
	enum model_fault fault;
	const char *function;
};

/**
 * struct model_scenario - what is run again and again
 * @name: it
 * @run: its main thread, which starts the others, and checks what is left
 * @preemptions: each schedule with so many, or less; 0: random ones
 * @schedules: how many at most; a scenario of all that has more fails
 * @steps: of a schedule at most, 0: 20,000
 * @tick: ns that the clock goes on each time that it is read; 0: 100
 */
struct model_scenario {
	const char *name;
	void (*run)(void);
	unsigned int preemptions;
	unsigned long schedules;
	unsigned long steps;
	uint64_t tick;
};

/* Returns whether all went well. */
bool model_holds(const struct model_scenario *scenario);

/* Does it fail with the mutant?  In a process of its own: it may crash. */
bool model_finds(const struct model_scenario *scenario, enum model_fault fault,
		 const char *function);

/* In a scenario: threads, and the end of all those. */
void model_start(void *(*fn)(void *arg), void *arg);
void model_join(void);
void model_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#define model_check(condition) \
	((condition) ? (void)0 : model_fail("%s:%d: %s", __func__, __LINE__, #condition))

#endif /* HFT_MODEL_H */
