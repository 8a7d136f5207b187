/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A log of what others have recorded, with their stamps: the kernel's events.
 *
 * Its records are not logged by threads of this process, so there are no rings: who has a
 * record gives it to the log, and keeps it while the log does not take it.  Readers can not
 * tell it from a log of hft/log.h.
 *
 * A log is one thread's at a time.
 */
#ifndef HFT_LOG_IMPORT_H
#define HFT_LOG_IMPORT_H

#include <stddef.h>
#include <stdint.h>

#include <hft/log_ring.h>
#include <hft/log_store.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hft_log_import;

/**
 * struct hft_log_import_opts - options of a log; zero is the default of each
 * @sz: of the struct
 * @flags: zero
 * @program: whose records they are; NULL: this program's
 * @store: how files are written; NULL: the defaults
 */
struct hft_log_import_opts {
	size_t sz;
	uint64_t flags;
	const char *program;
	const struct hft_log_store_opts *store;
};

/**
 * struct hft_log_import_stream - where records were made, in the order of their stamps
 * @sz: of the struct
 * @id: a number of its own, not 0
 * @thread: its name
 * @tid: of a thread; 0: it is none
 * @cpu: that it is bound to; -1: none
 */
struct hft_log_import_stream {
	size_t sz;
	uint64_t id;
	const char *thread;
	uint32_t tid;
	int32_t cpu;
};

int hft_log_import_open(struct hft_log_import **import, const char *dir,
			const struct hft_log_import_opts *opts);
int hft_log_import_is_tsc(const struct hft_log_import *import);
int hft_log_import_stream(struct hft_log_import *import,
			  const struct hft_log_import_stream *stream);
int hft_log_import_site(struct hft_log_import *import, struct hft_log_site *site);
int hft_log_import_write(struct hft_log_import *import, uint64_t stream,
			 const struct hft_log_site *site, uint64_t stamp, const void *arguments,
			 size_t bytes);
int hft_log_import_lost(struct hft_log_import *import, uint64_t stream, uint64_t records,
			uint64_t first, uint64_t last);
uint64_t hft_log_import_poll(struct hft_log_import *import);
int hft_log_import_close(struct hft_log_import *import);

#ifdef __cplusplus
}
#endif

#endif /* HFT_LOG_IMPORT_H */
