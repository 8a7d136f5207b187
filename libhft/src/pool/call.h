/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls of functions of others in a task, which may end the thread: what is to be done
 * then is done by who notices.
 */
#ifndef HFT_POOL_CALL_H
#define HFT_POOL_CALL_H

/**
 * struct hft_call - such a call, on the stack of the caller
 * @abandon: called in its place, in the same thread, when the thread ends
 * @outer: the one before
 */
struct hft_call {
	void (*abandon)(struct hft_call *call);
	struct hft_call *outer;
};

/* leave.c */
void hft_call_begin(struct hft_call *call);
void hft_call_end(struct hft_call *call);

#endif /* HFT_POOL_CALL_H */
