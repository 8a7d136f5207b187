// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the store tells of, and the state that others see.
 *
 * Who has not said who hears of it finds it on standard error: a line when something begins,
 * and one when it is over.  Where that would have the thread wait, or there were others within
 * a second, as of a disk that is full time and again, it is left out: the state has it.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../gettime.h"
#include "store_internal.h"

#define SAY_NS		NSEC_PER_SEC
#define SAY_MOST	4		/* lines in that time */

/* Under the lock. */
static bool may_say(struct hft_log_store *store)
{
	uint64_t now = hft_store_monotonic();

	if (now - store->said_at >= SAY_NS) {
		store->said_at = now;
		store->said = 0;
	}
	return store->said++ < SAY_MOST;
}

static void say(struct hft_log_store *store, const char *text)
{
	struct pollfd err = { .fd = STDERR_FILENO, .events = POLLOUT };
	char line[300];
	int length;
	bool may;

	pthread_mutex_lock(&store->lock);
	may = may_say(store);
	pthread_mutex_unlock(&store->lock);
	if (!may || poll(&err, 1, 0) != 1 || !(err.revents & POLLOUT))
		return;
	length = snprintf(line, sizeof(line), "hft-log: %s\n", text);
	if (write(STDERR_FILENO, line, (size_t)length) < 0)
		return;		/* nobody hears of it */
}

void hft_store_tell(struct hft_log_store *store, enum hft_log_store_event event, int err,
		    const char *format, ...)
{
	const uint64_t one = 1;
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (store->opts.notify)
		store->opts.notify(store->opts.notify_arg, event, err, text);
	else if (store->opts.eventfd <= 0)
		say(store, text);
	if (store->opts.eventfd > 0 && write(store->opts.eventfd, &one, sizeof(one)) < 0)
		return;		/* it is full: who reads it has not read the last ones */
}

/* Said once for each kind of trouble, until it is well again. */
static void begin_trouble(struct hft_log_store *store, int err, bool failed, const char *what)
{
	struct hft_log_trouble *trouble = &store->trouble;
	bool is_new;

	pthread_mutex_lock(&store->lock);
	store->state.errors += failed;
	is_new = store->state.err != err;
	if (is_new) {
		if (!store->state.err)
			trouble->since = hft_gettime(CLOCK_REALTIME);
		trouble->until = 0;
		trouble->times++;
		snprintf(trouble->text, sizeof(trouble->text), "%s: %s", what, strerror(err));
	}
	store->state.err = err;
	pthread_mutex_unlock(&store->lock);
	if (is_new)
		hft_store_tell(store, HFT_LOG_STORE_TROUBLE, err, "%s: %s: %s", store->dir, what,
			       strerror(err));
}

void hft_store_trouble(struct hft_log_store *store, int err, const char *what)
{
	begin_trouble(store, err, true, what);
}

/* Has something been asked of the disk for so long?  Between looks one is over, and is not. */
static bool is_slow(const struct hft_log_store *store)
{
	const struct log_packet *packet;
	uint32_t i;

	if (!store->running)
		return false;
	if (store->now - store->answered >= store->opts.slow_ns)
		return true;
	for (i = 0; i < store->opts.buffers; i++) {
		packet = &store->packets[i];
		if (packet->state == LOG_PACKET_WRITING &&
		    store->now - packet->given >= store->opts.slow_ns)
			return true;
	}
	return false;
}

void hft_store_well(struct hft_log_store *store)
{
	bool slow = is_slow(store), was;

	if (store->failing || store->blocked || hft_store_is_held(store))
		return;
	store->retry_ns = 0;
	pthread_mutex_lock(&store->lock);
	was = store->state.err && !store->hasher.err && !(slow && store->state.err == ETIMEDOUT);
	if (was) {
		store->state.err = 0;
		store->trouble.until = hft_gettime(CLOCK_REALTIME);
	}
	pthread_mutex_unlock(&store->lock);
	if (was)
		hft_store_tell(store, HFT_LOG_STORE_WELL, 0, "%s: is written again", store->dir);
}

/* Of a disk that is in other trouble that is told. */
void hft_store_slow(struct hft_log_store *store)
{
	char what[64];
	int err;

	pthread_mutex_lock(&store->lock);
	err = store->state.err;
	pthread_mutex_unlock(&store->lock);
	snprintf(what, sizeof(what), "what is written is not on the disk after %llu ms",
		 (unsigned long long)(store->opts.slow_ns / NSEC_PER_MSEC));
	if (!err)
		begin_trouble(store, ETIMEDOUT, false, what);
}

void hft_store_look_slow(struct hft_log_store *store)
{
	bool slow = is_slow(store), was;

	pthread_mutex_lock(&store->lock);
	was = store->state.err == ETIMEDOUT;
	pthread_mutex_unlock(&store->lock);
	if (slow)
		hft_store_slow(store);
	else if (was)
		hft_store_well(store);
}

void hft_store_tell_lost(struct hft_log_store *store, const struct log_chunk *chunk)
{
	hft_store_tell(store, HFT_LOG_STORE_LOST, EIO,
		       "%s: chunk %u: records that were written are lost", store->dir,
		       chunk->number);
}

void hft_log_store_trouble(struct hft_log_store *store, struct hft_log_trouble *trouble)
{
	pthread_mutex_lock(&store->lock);
	*trouble = store->trouble;
	trouble->err = store->state.err;
	trouble->errors = store->state.errors;
	trouble->waiting_bytes = store->state.waiting_bytes;
	pthread_mutex_unlock(&store->lock);
}
