// SPDX-License-Identifier: LGPL-2.1-or-later
/* Fibers, by ucontext(3); the sanitizers want to be told. */
#include <stdint.h>

#include "fiber.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#elif defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

/* Of the last switch. */
static __thread struct hft_fiber *from_fiber, *to_fiber;

/* @ends: @from will not be gone back to. */
static void about_to_switch(struct hft_fiber *from, struct hft_fiber *to, int ends)
{
	from_fiber = from;
	to_fiber = to;
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_start_switch_fiber(ends ? NULL : &from->fake, to->bottom, to->size);
#elif defined(__SANITIZE_THREAD__)
	__tsan_switch_to_fiber(to->shadow, 0);
#endif
	(void)ends;
}

static void has_switched(void)
{
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_finish_switch_fiber(to_fiber->fake, &from_fiber->bottom, &from_fiber->size);
#endif
}

static void begin(void)
{
	struct hft_fiber *self = to_fiber;

	has_switched();
	self->fn(self->arg);
	about_to_switch(self, self->back, 1);
	setcontext(&self->back->context);
}

/* The stack that the caller is on already, to come back to. */
void hft_fiber_here(struct hft_fiber *fiber)
{
	*fiber = (struct hft_fiber){};
#if defined(__SANITIZE_THREAD__)
	fiber->shadow = __tsan_get_current_fiber();
#endif
}

/**
 * hft_fiber_make() - a fiber that calls a function when it is switched to
 * @fiber: the fiber
 * @stack: memory, lowest address
 * @size: of @stack, bytes
 * @fn: it goes back to who has switched to it last when this returns
 * @arg: for @fn
 */
void hft_fiber_make(struct hft_fiber *fiber, void *stack, size_t size, void (*fn)(void *arg),
		    void *arg)
{
	*fiber = (struct hft_fiber){ .fn = fn, .arg = arg, .bottom = stack, .size = size };
	getcontext(&fiber->context);
	fiber->context.uc_stack.ss_sp = stack;
	fiber->context.uc_stack.ss_size = size;
	makecontext(&fiber->context, begin, 0);
#if defined(__SANITIZE_ADDRESS__)
	/* One that never came to its end may have been there. */
	__asan_unpoison_memory_region(stack, size);
#elif defined(__SANITIZE_THREAD__)
	fiber->shadow = __tsan_create_fiber(0);
#endif
}

/* It is not the caller; its function need not have returned. */
void hft_fiber_free(struct hft_fiber *fiber)
{
#if defined(__SANITIZE_THREAD__)
	__tsan_destroy_fiber(fiber->shadow);
#endif
	(void)fiber;
}

/* Returns when somebody switches back to @from, which is the caller. */
void hft_fiber_switch(struct hft_fiber *from, struct hft_fiber *to)
{
	to->back = from;
	about_to_switch(from, to, 0);
	swapcontext(&from->context, &to->context);
	has_switched();
}
