/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Peers of the inbox: the same calls for each. */
#ifndef HFT_BENCH_INPROC_H
#define HFT_BENCH_INPROC_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*inproc_fn)(void *arg);

/**
 * struct inproc_peer - what runs a function in another thread
 * @name: of the peer
 * @create: one thread beside the caller's; NULL: it can not be had
 * @submit: have @fn called with @arg there, as soon as may be
 * @destroy: end it, when nothing is left to call
 */
struct inproc_peer {
	const char *name;
	void *(*create)(void);
	void (*submit)(void *peer, inproc_fn fn, void *arg);
	void (*destroy)(void *peer);
};

extern const struct inproc_peer inproc_tbb;

#ifdef __cplusplus
}
#endif

#endif /* HFT_BENCH_INPROC_H */
