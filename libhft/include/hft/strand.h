/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Strands: tasks of one key run one after the other, in the order they were posted in;
 * tasks of different keys run at the same time.
 *
 * A key, of a symbol or an order, has no state but while tasks of it wait or run.  The
 * first one posted goes to the pool; those that come meanwhile wait behind it, and the
 * worker that ran it runs them, or leaves them to another when others have waited for
 * long enough.
 *
 * Threads: all calls but hft_strands_close() may be made from any thread, and from
 * tasks.  Tasks that two threads post are in the order that they happen to come in.
 */
#ifndef HFT_STRAND_H
#define HFT_STRAND_H

#include <stddef.h>
#include <stdint.h>
#include <hft/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hft_strands;

#define HFT_POST_ARGS_MAX	48	/* bytes */

struct hft_strands_opts {
	size_t sz;
	struct hft_pool *pool;		/* which runs them */
	uint32_t keys;			/* 4096: that have tasks at a time; more are slower */
};

int hft_strands_open(struct hft_strands **strands, const struct hft_strands_opts *opts);
void hft_strands_close(struct hft_strands *strands);

struct hft_post_opts {
	size_t sz;
	struct hft_group *group;	/* NULL: none */
	uint32_t level;			/* 1 + enum hft_level; 0: HFT_LEVEL_NORMAL; */
					/* between keys, not within one */
};

int hft_post(struct hft_strands *strands, uint64_t key, hft_spawn_fn fn, const void *args,
	     size_t size);
int hft_post_opts(struct hft_strands *strands, uint64_t key, hft_spawn_fn fn, const void *args,
		  size_t size, const struct hft_post_opts *opts);
uint64_t hft_strands_keys(struct hft_strands *strands);

#ifdef __cplusplus
}
#endif

#endif /* HFT_STRAND_H */
