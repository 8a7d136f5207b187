/* SPDX-License-Identifier: GPL-2.0-only */
/* For tests of the log's store and a disk in trouble: what is heard of it, what is there after. */
#ifndef HFT_HOST_LOG_TROUBLE_H
#define HFT_HOST_LOG_TROUBLE_H

#include <stdatomic.h>

#include "log_ctf.h"
#include "log_load.h"

static atomic_uint heard[HFT_LOG_STORE_EVENTS];

static inline void hear(void *arg, enum hft_log_store_event event, int err, const char *text)
{
	atomic_store((atomic_int *)arg, err);
	assert_non_null(text);
	atomic_fetch_add(&heard[event], 1);
}

static inline void forget_heard(void)
{
	int i;

	for (i = 0; i < HFT_LOG_STORE_EVENTS; i++)
		atomic_store(&heard[i], 0);
}

/* Appends until nothing more is taken.  Returns why, and what it still has of the buffer. */
static inline int append_until_refused(struct load *load, int i, uint8_t *buffer, size_t room,
				size_t *left)
{
	int64_t took;
	size_t bytes, at;

	for (;;) {
		bytes = records_make(&load->sources[i], buffer, room, 1000);
		for (at = 0; at < bytes; ) {
			took = hft_log_store_append(load->store, stream_id(i), buffer + at,
						    bytes - at, 0);
			hft_log_store_poll(load->store, now_ns());
			if (took < 0 && took != -EAGAIN) {
				memmove(buffer, buffer + at, bytes - at);
				*left = bytes - at;
				return (int)-took;
			}
			at += took > 0 ? (size_t)took : 0;
			load->bytes[i] += took > 0 ? (uint64_t)took : 0;
		}
	}
}

static inline int64_t count_chunks(int64_t *events)
{
	struct dirent **names;
	int n = scandir(dir, &names, only_chunks, alphasort), i;
	char path[512];

	*events = 0;
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		if (have_babeltrace()) {
			int64_t got = babeltrace_count(path);

			assert_true(got >= 0);
			*events += got;
		}
		free(names[i]);
	}
	free(names);
	return n;
}

static inline void check_all_there(struct load *load)
{
	int64_t events;

	assert_int_equal(hft_log_store_close(load->store, LONG_NS), 0);
	check_chain(false);
	count_chunks(&events);
	if (have_babeltrace())
		assert_int_equal(events, all_made(load));
}

#endif /* HFT_HOST_LOG_TROUBLE_H */
