/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the model share; see model.h. */
#ifndef HFT_MODEL_INTERNAL_H
#define HFT_MODEL_INTERNAL_H

#include <setjmp.h>
#include <stddef.h>
#include <ucontext.h>

#include "model.h"

#define FIBERS		8
#define STORES		8		/* that a buffer has room for */
#define KEYS		16
#define FOREVER		UINT64_MAX

/* How much of each fiber another knows of (L. Lamport, CACM 21 (7), 1978). */
struct clocks {
	uint32_t at[FIBERS];
};

struct store {
	uintptr_t address;
	uint64_t value;
	unsigned int size;
	unsigned int fiber;
	bool releases;
	struct clocks released;
};

/**
 * struct fiber - a thread of the scenario
 * @context: it, before it runs
 * @jump: it, once it has
 * @fn: what it runs
 * @arg: with that
 * @number: it
 * @used: it is a thread
 * @of_scenario: it is model_start()'s
 * @started: it has run
 * @ended: it was
 * @sleeps: on @word, until that is woken, or @until
 * @word: an address, or NULL
 * @until: of the clock, or %FOREVER
 * @timed_out: it was that
 * @paused: it runs when others have changed something, or can not run
 * @priority: of a random schedule
 * @stores: its store buffer, the oldest first
 * @nr_stores: in that
 * @clock: what it knows
 * @fence: what it knew at its last release fence
 * @seen: what it has read and not acquired
 * @keys: of pthread_setspecific()
 * @tls: its variables
 */
struct fiber {
	ucontext_t context;
	jmp_buf jump;
	void *(*fn)(void *arg);
	void *arg;
	unsigned int number;
	bool used;
	bool of_scenario;
	bool started;
	bool ended;
	bool sleeps;
	const void *word;
	uint64_t until;
	bool timed_out;
	bool paused;
	uint64_t priority;
	struct store stores[STORES];
	unsigned int nr_stores;
	struct clocks clock;
	struct clocks fence;
	struct clocks seen;
	void *keys[KEYS];
	void *tls;
};

/* scheduler.c */
extern struct fiber model_fibers[FIBERS];
extern unsigned int model_nr_fibers;
extern struct fiber *model_current;	/* NULL: no scenario runs */
extern struct model_mutant model_mutant;
extern uint64_t model_clock, model_tick;

/* memory.c */
extern const char *model_function;	/* of the operation */

void model_in(const char *function);
void model_fence(int order);
void model_memory_reset(void);
void model_flush_one(struct fiber *fiber);
void model_flush(struct fiber *fiber);
void model_acquire(const void *address);
void model_release(const void *address);
void model_copy_clock(struct fiber *to, const struct fiber *from);
void model_join_clock(struct fiber *to, const struct fiber *from);
void model_freed(const void *memory, size_t size);

/* scheduler.c */

void model_pause(void);
struct fiber *model_fork(void *(*fn)(void *arg), void *arg);
void model_point(const char *operation, const void *address);
void model_changed(void);
bool model_sleep(const void *word, uint64_t until);
int model_wake(const void *word, int most);
bool model_is_private(uintptr_t address);
void model_ended(void) __attribute__((noreturn));

static inline bool model_is(enum model_fault fault)
{
	return model_mutant.fault == fault &&
	       (!model_mutant.function ||
		!__builtin_strcmp(model_mutant.function, model_function));
}

/* system.c */
void model_system_reset(void);
void model_end_keys(void);
size_t model_tls_size(void);
void model_tls_new(void *tls);
void model_tls_save(void *tls);
void model_tls_load(const void *tls);
bool model_is_tls(uintptr_t address);

/* choices.c */
void model_choices_begin(bool again);
void model_choices_forget(void);
unsigned int model_choose(unsigned int nr, uint32_t costs, unsigned int guess);
bool model_choices_next(unsigned int bound);
void model_choices_print(const char *name);
bool model_choices_read(const char *name);

#endif /* HFT_MODEL_INTERNAL_H */
