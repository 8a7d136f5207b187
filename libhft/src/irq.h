/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFT_IRQ_H
#define HFT_IRQ_H

#include <stdbool.h>
#include <stddef.h>

/* The name of who handles interrupt @irq, below /proc/irq; false: nobody does. */
bool hft_irq_handler(const char *root, unsigned int irq, char *name, size_t size);

/* Call @fn for each interrupt that somebody handles, until it says false. */
void hft_for_each_irq(const char *root,
		      bool (*fn)(void *arg, unsigned int irq, const char *handler), void *arg);

#endif /* HFT_IRQ_H */
