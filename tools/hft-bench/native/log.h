/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is called to log a record of an u64, an u32 and a double, or text. */
#ifndef HFT_BENCH_LOG_H
#define HFT_BENCH_LOG_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct log_peer - a logger
 * @name: its
 * @open: 0, or it is not there
 * @numbers: that many records of numbers
 * @text: that many records of a text
 * @close: undo @open
 */
struct log_peer {
	const char *name;
	int (*open)(const char *dir);
	void (*numbers)(unsigned int nr);
	void (*text)(unsigned int nr, const char *text);
	void (*close)(void);
};

extern const struct log_peer log_peer_hft;
extern const struct log_peer log_peer_lttng;
extern const struct log_peer log_peer_spdlog;
extern const struct log_peer log_peer_plain;

/* Of records */
extern uint64_t log_number;
extern uint32_t log_quantity;
extern double log_price;

/* Calls of hft_log() at a level that is off. */
void log_hft_off(unsigned int nr);

#ifdef __cplusplus
}
#endif

#endif /* HFT_BENCH_LOG_H */
