/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stacks that one thread goes back and forth between. */
#ifndef HFT_ENGINE_FIBER_H
#define HFT_ENGINE_FIBER_H

#include <stddef.h>
#include <ucontext.h>

/**
 * struct hft_fiber - a stack, and where on it the thread has left
 * @context: that
 * @fn: what it began with
 * @arg: of @fn
 * @back: who goes on when @fn has returned
 * @bottom: of the stack, for the address sanitizer
 * @size: likewise
 * @fake: likewise
 * @shadow: for the thread sanitizer
 */
struct hft_fiber {
	ucontext_t context;
	void (*fn)(void *arg);
	void *arg;
	struct hft_fiber *back;
	const void *bottom;
	size_t size;
	void *fake;
	void *shadow;
};

void hft_fiber_here(struct hft_fiber *fiber);
void hft_fiber_make(struct hft_fiber *fiber, void *stack, size_t size, void (*fn)(void *arg),
		    void *arg);
void hft_fiber_free(struct hft_fiber *fiber);
void hft_fiber_switch(struct hft_fiber *from, struct hft_fiber *to);

#endif /* HFT_ENGINE_FIBER_H */
