/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The work of the heap bench, on the queue that the including file defines. */
struct bench {
	struct queue queue;
	struct entry *entry;
	uint64_t seq;
	size_t nr;
};

static void *create(size_t nr)
{
	struct bench *b = (struct bench *)calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->nr = nr;
	b->entry = (struct entry *)aligned_alloc(CACHE_LINE, nr * sizeof(*b->entry));
	if (!b->entry || queue_init(&b->queue, nr))
		return NULL;
	return b;
}

static void fill(void *bench, const uint64_t *key)
{
	struct bench *b = (struct bench *)bench;
	size_t i;

	for (i = 0; i < b->nr; i++) {
		b->entry[i].seq = b->seq++;
		queue_push(&b->queue, &b->entry[i], key[i]);
	}
}

static void hold(void *bench, const uint64_t *ahead, size_t ops)
{
	struct bench *b = (struct bench *)bench;
	struct entry *entry;
	uint64_t key;
	size_t i;

	for (i = 0; i < ops; i++) {
		entry = queue_pop(&b->queue, &key);
		entry->seq = b->seq++;
		queue_push(&b->queue, entry, key + ahead[i]);
	}
}

static uint64_t drain(void *bench)
{
	struct bench *b = (struct bench *)bench;
	struct entry *entry;
	uint64_t sum = 0, key;
	size_t i;

	for (i = 0; i < b->nr; i++) {
		entry = queue_pop(&b->queue, &key);
		sum = sum * 31 + key + entry->seq;
	}
	return sum;
}
