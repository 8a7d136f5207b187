/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Of a ring whose tasks stand for something: hft_halt() has cancelled tasks. */
#ifndef HFT_ENGINE_CANCELLED_H
#define HFT_ENGINE_CANCELLED_H

struct hft_ring;

/* ring.c */
void hft_ring_on_cancel(struct hft_ring *ring, void (*fn)(void *arg), void *arg);

#endif /* HFT_ENGINE_CANCELLED_H */
