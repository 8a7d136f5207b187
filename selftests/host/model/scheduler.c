// SPDX-License-Identifier: GPL-2.0-only
/* Fibers, and which of them goes on: all schedules of few preemptions, or random ones. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"
#include "random.h"

#define STACK		(256UL << 10)
#define TRACE		128
#define STEPS_DEFAULT	20000
#define TICK_DEFAULT	100

/* One in so many decisions of a random schedule: */
#define SWITCH_RARELY	8
#define FLUSH_RARELY	16
#define EXPIRE_RARELY	32

/* Schedules that a mutant has, at most, for one that the code has. */
#define LONGER		20

/* Changes of priority in a random schedule. */
#define CHANGES		3

struct fiber model_fibers[FIBERS];
unsigned int model_nr_fibers;
struct fiber *model_current;
struct model_mutant model_mutant;
uint64_t model_clock, model_tick;

struct option {
	struct fiber *fiber;
	bool flushes;			/* a store of it; else it runs */
};

struct step {
	unsigned int fiber;
	const char *operation;
	const char *function;
	const void *address;
};

enum explore {
	EXPLORE_ALL,
	EXPLORE_WALK,			/* at random */
	EXPLORE_PRIORITIES,		/* random ones */
	EXPLORE_REPLAY,
};

static const struct model_scenario *scenario;
static enum explore explore;
static unsigned int bound;
static unsigned long steps, longest, next_change;
static uint64_t random_state;
static struct step trace[TRACE];
static bool verbose, failed, quiet;
static char reason[256];
static jmp_buf runner;
static char *stacks;

/* On a stack, or a variable of each thread's own. */
bool model_is_private(uintptr_t address)
{
	return address - (uintptr_t)stacks < FIBERS * STACK || model_is_tls(address);
}

static void print_step(const struct step *step)
{
	fprintf(stderr, "# %*s%u %s: %s %p\n", (int)(2 * step->fiber), "", step->fiber,
		step->function ? step->function : "-", step->operation, step->address);
}

static void note(const char *operation, const void *address)
{
	struct step *step = &trace[steps % TRACE];

	*step = (struct step){ model_current->number, operation, model_function, address };
	if (verbose)
		print_step(step);
}

void model_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	failed = true;
	model_current = NULL;
	_longjmp(runner, 1);
}

static bool expires(const struct fiber *fiber)
{
	return fiber->sleeps && fiber->until != FOREVER;
}

static bool can_run(const struct fiber *fiber)
{
	return fiber->used && !fiber->ended && !fiber->paused &&
	       (!fiber->sleeps || fiber->until <= model_clock);
}

static unsigned int list_fibers(struct option *options, unsigned int nr,
				bool (*is)(const struct fiber *fiber))
{
	unsigned int i, first = model_current->number;

	for (i = 0; i < model_nr_fibers; i++) {
		struct fiber *fiber = &model_fibers[(first + i) % model_nr_fibers];

		if (is(fiber))
			options[nr++] = (struct option){ fiber, false };
	}
	return nr;
}

static unsigned int list_stores(struct option *options, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < model_nr_fibers; i++) {
		if (&model_fibers[i] != model_current && model_fibers[i].nr_stores)
			options[nr++] = (struct option){ &model_fibers[i], true };
	}
	return nr;
}

static bool is_late(const struct fiber *fiber)
{
	return fiber->used && !fiber->ended && expires(fiber) && fiber->until > model_clock;
}

static void fail_asleep(void)
{
	char text[160] = "";
	unsigned int i;

	for (i = 0; i < model_nr_fibers; i++) {
		if (!model_fibers[i].ended)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), " %u at %p", i,
				 model_fibers[i].word);
	}
	model_fail("deadlock: all sleep:%s", text);
}

/* What could happen next: first who runs, then who could, then who sleeps for a time. */
static unsigned int list_options(struct option *options, unsigned int *nr_run)
{
	unsigned int i, nr = list_fibers(options, 0, can_run);

	if (!nr) {
		for (i = 0; i < model_nr_fibers; i++)
			model_fibers[i].paused = false;
		nr = list_fibers(options, 0, can_run);
	}
	*nr_run = nr;
	nr = list_fibers(options, nr, is_late);
	if (!nr)
		fail_asleep();
	return list_stores(options, nr);
}

static unsigned int guess_priority(const struct option *options, unsigned int nr_run)
{
	unsigned int i, best = 0;

	if (steps >= next_change) {
		model_current->priority = random_u64(&random_state) >> 32;
		next_change = steps + 1 + random_below(&random_state, 1 + 2 * longest / CHANGES);
	}
	for (i = 1; i < nr_run; i++) {
		if (options[i].fiber->priority > options[best].fiber->priority)
			best = i;
	}
	return best;
}

static unsigned int guess(const struct option *options, unsigned int nr_run, unsigned int nr)
{
	bool stores = options[nr - 1].flushes;

	if (explore == EXPLORE_ALL || explore == EXPLORE_REPLAY)
		return 0;
	if (nr > nr_run && !random_below(&random_state, stores ? FLUSH_RARELY : EXPIRE_RARELY))
		return nr_run + random_below(&random_state, nr - nr_run);
	if (!nr_run)
		return random_below(&random_state, nr);
	if (explore == EXPLORE_PRIORITIES)
		return guess_priority(options, nr_run);
	return random_below(&random_state, SWITCH_RARELY) ? 0 : random_below(&random_state, nr_run);
}

/* Others are to run before its newest stores are seen. */
static void keep_stores(struct fiber *fiber)
{
	unsigned int nr = fiber->nr_stores + 1, most = explore == EXPLORE_ALL ? 0 : nr;
	unsigned int keep = model_choose(nr, 0, most ? random_below(&random_state, nr) : 0);

	while (fiber->nr_stores > keep)
		model_flush_one(fiber);
}

static void enter(void)
{
	model_current->fn(model_current->arg);
	model_ended();
}

static void run_fiber(struct fiber *fiber)
{
	model_current = fiber;
	model_tls_load(fiber->tls);
	if (fiber->started)
		_longjmp(fiber->jump, 1);
	fiber->started = true;
	getcontext(&fiber->context);
	fiber->context.uc_stack.ss_sp = stacks + fiber->number * STACK;
	fiber->context.uc_stack.ss_size = STACK;
	fiber->context.uc_link = NULL;
	makecontext(&fiber->context, enter, 0);
	setcontext(&fiber->context);
}

static void switch_to(struct fiber *fiber)
{
	struct fiber *self = model_current;

	if (expires(fiber) && fiber->sleeps) {
		fiber->timed_out = true;
		fiber->sleeps = false;
		if (fiber->until > model_clock)
			model_clock = fiber->until;
	}
	if (self == fiber)
		return;
	if (self->ended || self->sleeps || self->paused)
		model_flush(self);
	else if (self->nr_stores)
		keep_stores(self);
	model_tls_save(self->tls);
	if (self->ended || !_setjmp(self->jump))
		run_fiber(fiber);
}

/* Does it stop for no other reason than the schedule, or to give way to the next? */
static bool can_go_on(const struct fiber *fiber)
{
	return !fiber->ended && !fiber->sleeps;
}

static void schedule(void)
{
	struct option options[3 * FIBERS], *option;
	unsigned int nr, nr_run;
	uint32_t costs;

	do {
		nr = list_options(options, &nr_run);
		/* Who can not go on gives way to any that can at no cost. */
		costs = can_go_on(model_current) ? ~1U : ~0U << nr_run & ~1U;
		option = &options[model_choose(nr, costs, guess(options, nr_run, nr))];
		if (option->flushes)
			model_flush_one(option->fiber);
	} while (option->flushes);
	switch_to(option->fiber);
}

/* The current fiber is about to do something that others could see, or be seen by. */
void model_point(const char *operation, const void *address)
{
	const char *function = model_function;

	note(operation, address);
	if (++steps > (scenario->steps ? scenario->steps : STEPS_DEFAULT))
		model_fail("livelock: more than %lu steps", steps - 1);
	schedule();
	model_function = function;
}

/* Who has paused may find what it waits for. */
void model_changed(void)
{
	unsigned int i;

	for (i = 0; i < model_nr_fibers; i++)
		model_fibers[i].paused = false;
}

void model_pause(void)
{
	if (!model_current)
		return;
	model_flush(model_current);
	model_current->paused = true;
	model_point("pause", NULL);
	model_current->paused = false;
}

/* Returns whether it was woken. */
bool model_sleep(const void *word, uint64_t until)
{
	struct fiber *self = model_current;

	model_flush(self);
	self->sleeps = true;
	self->timed_out = false;
	self->word = word;
	self->until = until;
	model_point("sleeps", word);
	return !self->timed_out;
}

int model_wake(const void *word, int most)
{
	int woken = 0;
	unsigned int i;

	for (i = 0; i < model_nr_fibers && woken < most; i++) {
		struct fiber *fiber = &model_fibers[i];

		if (!fiber->used || fiber->ended || !fiber->sleeps || fiber->word != word)
			continue;
		fiber->sleeps = false;
		woken++;
	}
	return woken;
}

struct fiber *model_fork(void *(*fn)(void *arg), void *arg)
{
	struct fiber *fiber = &model_fibers[model_nr_fibers];

	if (model_nr_fibers == FIBERS)
		model_fail("more than %d threads", FIBERS);
	fiber->number = model_nr_fibers++;
	fiber->fn = fn;
	fiber->arg = arg;
	fiber->used = true;
	fiber->started = fiber->ended = fiber->sleeps = fiber->paused = false;
	fiber->of_scenario = false;
	fiber->nr_stores = 0;
	fiber->priority = random_u64(&random_state) >> 32 | 1ULL << 32;
	memset(&fiber->clock, 0, sizeof(fiber->clock));
	memset(&fiber->fence, 0, sizeof(fiber->fence));
	memset(&fiber->seen, 0, sizeof(fiber->seen));
	memset(fiber->keys, 0, sizeof(fiber->keys));
	fiber->clock.at[fiber->number] = 1;
	if (model_current)
		model_copy_clock(fiber, model_current);
	model_tls_new(fiber->tls);
	return fiber;
}

void model_ended(void)
{
	unsigned int i;

	model_end_keys();
	model_flush(model_current);
	model_current->ended = true;
	model_wake(model_current, FIBERS);
	model_changed();
	for (i = 0; i < model_nr_fibers; i++) {
		if (!model_fibers[i].ended)
			break;
	}
	if (i < model_nr_fibers)
		schedule();
	model_current = NULL;
	_longjmp(runner, 1);
}

void model_start(void *(*fn)(void *arg), void *arg)
{
	model_flush(model_current);
	model_fork(fn, arg)->of_scenario = true;
}

void model_join(void)
{
	unsigned int i;

	for (i = 0; i < model_nr_fibers; i++) {
		struct fiber *fiber = &model_fibers[i];

		if (!fiber->of_scenario)
			continue;
		if (!fiber->ended)
			model_sleep(fiber, FOREVER);
		model_join_clock(model_current, fiber);
	}
}

static void *run_scenario(void *arg)
{
	scenario->run();
	return arg;
}

static void prepare(void)
{
	unsigned int i;

	if (stacks)
		return;
	stacks = mmap(NULL, FIBERS * STACK, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (stacks == MAP_FAILED)
		abort();
	for (i = 0; i < FIBERS; i++)
		model_fibers[i].tls = calloc(1, model_tls_size() + 1);
}

static void execute(void)
{
	model_choices_begin(explore == EXPLORE_ALL);
	steps = 0;
	model_nr_fibers = 0;
	model_clock = 1000000000;
	model_tick = scenario->tick ? scenario->tick : TICK_DEFAULT;
	next_change = explore == EXPLORE_PRIORITIES ? random_below(&random_state, 1 + longest) : 0;
	model_memory_reset();
	model_system_reset();
	if (!_setjmp(runner))
		run_fiber(model_fork(run_scenario, NULL));
	model_system_reset();
	if (steps > longest)
		longest = steps;
}

static void report(unsigned long nr)
{
	unsigned long i;

	fprintf(stderr, "# %s: %s (schedule %lu, in %s)\n", scenario->name, reason, nr,
		model_function ? model_function : "-");
	if (quiet)
		return;
	for (i = steps > TRACE ? steps - TRACE : 0; i < steps && !verbose; i++)
		print_step(&trace[i % TRACE]);
	model_choices_print(scenario->name);
}

static bool replay(void)
{
	model_choices_forget();
	execute();
	verbose = model_choices_read(scenario->name);
	execute();
	verbose = false;
	if (failed)
		report(1);
	return !failed;
}

static bool explore_all(void)
{
	unsigned long nr = 0, of_bound = 0;

	explore = EXPLORE_ALL;
	/* The first makes what the library keeps from one to the next. */
	model_choices_forget();
	execute();
	for (bound = 0; !failed && bound <= scenario->preemptions; bound++) {
		of_bound = 0;
		model_choices_forget();
		do {
			if (++nr > scenario->schedules) {
				fprintf(stderr, "# %s: more than %lu schedules\n", scenario->name,
					scenario->schedules);
				return false;
			}
			of_bound++;
			execute();
		} while (!failed && model_choices_next(bound));
	}
	if (failed) {
		report(nr);
		return false;
	}
	if (!quiet)
		fprintf(stderr, "# %s: %lu schedules of up to %u preemptions and %lu steps\n",
			scenario->name, of_bound, scenario->preemptions, longest);
	return true;
}

static bool explore_random(void)
{
	unsigned long nr;

	for (nr = 1; nr <= scenario->schedules; nr++) {
		/* As that of explore_all(). */
		explore = nr == 1 ? EXPLORE_ALL : nr % 2 ? EXPLORE_WALK : EXPLORE_PRIORITIES;
		model_choices_forget();
		random_state = nr;
		execute();
		if (failed) {
			report(nr);
			return false;
		}
	}
	if (!quiet)
		fprintf(stderr, "# %s: %lu random schedules of up to %lu steps\n", scenario->name,
			scenario->schedules, longest);
	return true;
}

bool model_holds(const struct model_scenario *what)
{
	scenario = what;
	failed = false;
	longest = 0;
	prepare();
	explore = EXPLORE_REPLAY;
	if (model_choices_read(scenario->name))
		return replay();
	return scenario->preemptions ? explore_all() : explore_random();
}

/* A crash is a find: the tests' own handlers would go on with the next test here. */
static void reset_signals(void)
{
	static const int signals[] = { SIGALRM, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS };
	size_t i;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);
}

bool model_finds(const struct model_scenario *what, enum model_fault fault, const char *function)
{
	struct model_scenario longer = *what;
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		reset_signals();
		quiet = true;
		model_mutant = (struct model_mutant){ fault, function };
		/* Which random one finds it changes with each change of the code. */
		if (!longer.preemptions)
			longer.schedules *= LONGER;
		_exit(model_holds(&longer) ? 0 : 1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	return !WIFEXITED(status) || WEXITSTATUS(status);
}
