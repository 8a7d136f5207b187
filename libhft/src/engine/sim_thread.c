// SPDX-License-Identifier: LGPL-2.1-or-later
/* Threads of a simulated machine, and what they wait at. */
#include <errno.h>
#include <stdlib.h>

#include "../self.h"
#include "fiber.h"
#include "sim.h"

__thread struct hft_self hft_self __attribute__((tls_model("initial-exec")));

/**
 * struct hft_sim_thread - a thread
 * @event: it goes on
 * @sim: the machine
 * @fiber: its stack
 * @caller: that of who lets time go by
 * @self: what the library knows of it, while others run
 * @fn: what it runs
 * @arg: for @fn
 * @word: futex that it sleeps at, or NULL
 * @next: who sleeps since later
 */
struct hft_sim_thread {
	struct hft_sim_event event;
	struct hft_sim *sim;
	struct hft_fiber fiber;
	struct hft_fiber caller;
	struct hft_self self;
	void (*fn)(void *arg);
	void *arg;
	_Atomic uint32_t *word;
	struct hft_sim_thread *next;
};

bool hft_sim_has_threads(const struct hft_sim *sim)
{
	return sim->nr_threads;
}

/* Is the caller one? */
bool hft_sim_in_thread(void)
{
	return hft_sim_current && hft_sim_current->thread;
}

static void swap_self(struct hft_sim_thread *thread)
{
	struct hft_self self = hft_self;

	hft_self = thread->self;
	thread->self = self;
}

static void goes_on(struct hft_sim *sim, struct hft_sim_event *event)
{
	struct hft_sim_thread *thread = container_of(event, struct hft_sim_thread, event);

	sim->thread = thread;
	swap_self(thread);
	hft_fiber_here(&thread->caller);
	hft_fiber_switch(&thread->caller, &thread->fiber);
	swap_self(thread);
	sim->thread = NULL;
}

/* After what was to go on at that time before. */
static void go_on_at(struct hft_sim_thread *thread, u64 when)
{
	hft_sim_unschedule(thread->sim, &thread->event);
	hft_sim_event_init(&thread->event, HFT_SIM_RANK_WAKE, thread->sim->order++, goes_on);
	hft_sim_schedule(thread->sim, &thread->event, when);
}

static void leave(struct hft_sim_thread *thread)
{
	hft_fiber_switch(&thread->fiber, &thread->caller);
}

static void run(void *arg)
{
	struct hft_sim_thread *thread = arg;

	thread->fn(thread->arg);
	hft_owner_leave();
}

static void append(struct hft_sim *sim, struct hft_sim_thread *thread)
{
	struct hft_sim_thread **link = &sim->sleepers;

	while (*link)
		link = &(*link)->next;
	thread->next = NULL;
	*link = thread;
}

static void unlink_sleeper(struct hft_sim *sim, struct hft_sim_thread *thread)
{
	struct hft_sim_thread **link = &sim->sleepers;

	while (*link != thread)
		link = &(*link)->next;
	*link = thread->next;
	thread->word = NULL;
}

/**
 * hft_sim_thread_start() - start a thread
 * @sim: the machine, the caller's
 * @stack: memory, lowest address
 * @size: of @stack, bytes
 * @fn: what it runs, from now on
 * @arg: for @fn
 *
 * Return: the thread, or NULL: no memory.
 */
struct hft_sim_thread *hft_sim_thread_start(struct hft_sim *sim, void *stack, size_t size,
					    void (*fn)(void *arg), void *arg)
{
	struct hft_sim_thread *thread = calloc(1, sizeof(*thread));

	if (!thread || hft_sim_reserve_events(sim, 1)) {
		free(thread);
		return NULL;
	}
	thread->sim = sim;
	thread->fn = fn;
	thread->arg = arg;
	hft_fiber_make(&thread->fiber, stack, size, run, thread);
	hft_sim_event_init(&thread->event, HFT_SIM_RANK_WAKE, 0, goes_on);
	sim->nr_threads++;
	go_on_at(thread, hft_sim_virtual_now(sim));
	return thread;
}

/* It never goes on, if it has not ended: what it has is others'. */
void hft_sim_thread_abandon(struct hft_sim_thread *thread)
{
	swap_self(thread);
	if (hft_self.owner)
		hft_owner_exit(hft_self.owner);
	swap_self(thread);
}

/* It has ended, or never goes on. */
void hft_sim_thread_free(struct hft_sim_thread *thread)
{
	if (thread->word)
		unlink_sleeper(thread->sim, thread);
	hft_sim_unschedule(thread->sim, &thread->event);
	thread->sim->nr_events--;
	thread->sim->nr_threads--;
	hft_fiber_free(&thread->fiber);
	free(thread);
}

/* The caller is a thread of @sim. */
void hft_sim_thread_sleep(struct hft_sim *sim, uint64_t until)
{
	go_on_at(sim->thread, until);
	leave(sim->thread);
}

/* Who is no thread lets time go by until somebody has changed @word. */
static int watch_word(struct hft_sim *sim, const _Atomic uint32_t *word, uint32_t value,
		      uint64_t until)
{
	bool more = true;

	if (sim->running)
		return EBUSY;
	sim->running = true;
	while (more && sim->now < until && atomic_load(word) == value)
		more = hft_sim_advance(sim, until);
	sim->running = false;
	if (atomic_load(word) != value)
		return 0;
	if (until > HFT_TIME_MAX)
		return EDEADLK;
	if (sim->now < until)
		sim->now = until;
	return ETIMEDOUT;
}

/**
 * hft_sim_futex_wait() - as FUTEX_WAIT, in the machine's time
 * @sim: machine, the caller's
 * @word: futex
 * @value: of @word
 * @until: CLOCK_MONOTONIC; more than %HFT_TIME_MAX: for ever
 *
 * Return: 0, EAGAIN or ETIMEDOUT; if the caller is no thread of it also EDEADLK: nothing
 * that could change @word will happen, or EBUSY: it is called by the machine.
 */
int hft_sim_futex_wait(struct hft_sim *sim, _Atomic uint32_t *word, uint32_t value,
		       uint64_t until)
{
	struct hft_sim_thread *thread = sim->thread;

	if (!thread)
		return watch_word(sim, word, value, until);
	if (atomic_load(word) != value)
		return EAGAIN;
	if (until <= sim->now)
		return ETIMEDOUT;
	thread->word = word;
	append(sim, thread);
	if (until <= HFT_TIME_MAX)
		go_on_at(thread, until);
	leave(thread);
	if (!thread->word)
		return 0;
	unlink_sleeper(sim, thread);
	return ETIMEDOUT;
}

/* As FUTEX_WAKE: who sleeps longest first.  Returns how many. */
int hft_sim_futex_wake(struct hft_sim *sim, _Atomic uint32_t *word, int nr)
{
	struct hft_sim_thread *thread, *next;
	int woken = 0;

	for (thread = sim->sleepers; thread && woken < nr; thread = next) {
		next = thread->next;
		if (thread->word != word)
			continue;
		unlink_sleeper(sim, thread);
		go_on_at(thread, hft_sim_virtual_now(sim) + sim->opts.wakeup_ns);
		woken++;
	}
	return woken;
}
