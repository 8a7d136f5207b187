// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The hasher: makes the seals of packets, which takes longer than filling them, while the
 * drainer fills the next.  It has them one after the other, as their hashes are a chain.
 */
#include <errno.h>

#include "../options.h"
#include "store_internal.h"

#define AGAIN_NS	(20 * NSEC_PER_MSEC)

static void push(struct log_packets *packets, struct log_packet *packet)
{
	packet->next_sealed = NULL;
	if (packets->first)
		packets->last->next_sealed = packet;
	else
		packets->first = packet;
	packets->last = packet;
}

/* Under the lock, which it lets go. */
static int seal(struct hft_log_store *store, struct log_packet *packet)
{
	int err;

	pthread_mutex_unlock(&store->lock);
	err = hft_log_chain_add(&packet->file->chain, packet->at, packet->bytes,
				packet->index.records, packet->synced);
	pthread_mutex_lock(&store->lock);
	/* First: what is written meanwhile is no sign that it is well. */
	store->hasher.err = err;
	if (err) {
		pthread_mutex_unlock(&store->lock);
		hft_store_trouble(store, -err, "sealing a packet");
		pthread_mutex_lock(&store->lock);
	}
	return err;
}

/* Where there is no memory for a hash, the packet is tried again, and others wait for it. */
static void *hasher_main(void *arg)
{
	struct hft_log_store *store = arg;
	struct log_hasher *hasher = &store->hasher;
	struct log_packet *packet;
	int err;

	hft_store_is_thread = true;
	pthread_mutex_lock(&store->lock);
	while (!hasher->stop) {
		packet = hasher->given.first;
		if (!packet) {
			pthread_cond_wait(&hasher->wake, &store->lock);
			continue;
		}
		err = seal(store, packet);
		if (!err) {
			hasher->given.first = packet->next_sealed;
			push(&hasher->sealed, packet);
		}
		pthread_cond_broadcast(&hasher->idle);
		if (err && !hasher->stop)
			hft_store_wait(store, &hasher->wake, hft_store_monotonic() + AGAIN_NS);
	}
	pthread_mutex_unlock(&store->lock);
	return NULL;
}

int hft_store_hasher_open(struct hft_log_store *store)
{
	struct log_hasher *hasher = &store->hasher;
	int err;

	hft_store_cond_init(&hasher->wake);
	hft_store_cond_init(&hasher->idle);
	err = hft_store_thread_start(&hasher->thread, hasher_main, store, "hft-log-hasher");
	hasher->runs = !err;
	return err;
}

/* It, its chain and its file's are the hasher's until it is taken back. */
void hft_store_hasher_give(struct hft_log_store *store, struct log_packet *packet)
{
	packet->state = LOG_PACKET_SEALING;
	store->sealing = true;
	pthread_mutex_lock(&store->lock);
	push(&store->hasher.given, packet);
	pthread_cond_signal(&store->hasher.wake);
	pthread_mutex_unlock(&store->lock);
}

/* Those that have their seal, by &log_packet.next_sealed. */
struct log_packet *hft_store_hasher_take(struct hft_log_store *store)
{
	struct log_packet *packet;

	pthread_mutex_lock(&store->lock);
	packet = store->hasher.sealed.first;
	store->hasher.sealed.first = NULL;
	store->sealing = store->hasher.given.first;
	pthread_mutex_unlock(&store->lock);
	return packet;
}

/*
 * Wait until all have their seals, but not beyond CLOCK_MONOTONIC @end.  Returns 0, -EAGAIN, or
 * why one has none: it is tried again.
 */
int hft_store_hasher_wait(struct hft_log_store *store, uint64_t end)
{
	struct log_hasher *hasher = &store->hasher;
	int err = 0;

	pthread_mutex_lock(&store->lock);
	while (hasher->given.first && !hasher->err && !err)
		err = hft_store_wait(store, &hasher->idle, end);
	err = !hasher->given.first ? 0 : hasher->err ? hasher->err : -EAGAIN;
	pthread_mutex_unlock(&store->lock);
	if (err && err != -EAGAIN)
		return hft_fail(-err, "sealing a packet");
	return err;
}

void hft_store_hasher_close(struct hft_log_store *store)
{
	struct log_hasher *hasher = &store->hasher;

	if (!hasher->runs)
		return;
	pthread_mutex_lock(&store->lock);
	hasher->stop = true;
	pthread_cond_signal(&hasher->wake);
	pthread_mutex_unlock(&store->lock);
	pthread_join(hasher->thread, NULL);
	pthread_cond_destroy(&hasher->wake);
	pthread_cond_destroy(&hasher->idle);
}
