// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "pages.h"
#include "print.h"

#define CACHE_LINE	64u
#define PAGE_BYTES	(32u << 10)	/* of records; a larger one has a page of its own */

/* A record, which the reader has no more: the texts stand behind the values. */
struct entry {
	struct hft_log_view view;
	size_t size;
	union hft_log_view_value values[];
};

/* Written with each record by its owner, so that none shares a cache line with another's. */
struct page {
	char *entries;
	size_t room, used;
	struct print_text text;
	int err;
	bool made;
} __attribute__((aligned(CACHE_LINE)));

/* Pages have numbers: written <= taken <= filled, of which the next is the caller's. */
struct pages {
	const struct print *print;
	pthread_mutex_t lock;
	pthread_cond_t filled_one;	/* or it is the end */
	pthread_cond_t written_one;
	uint64_t written, taken, filled;
	bool writing;
	bool end;
	int err;
	unsigned int idle, nr_threads, most_threads;
	pthread_t threads[PAGES_THREADS_MAX];
	unsigned int nr_pages;
	struct page pages[];
};

struct pages *pages_new(const struct print *print, unsigned int threads)
{
	/* Each has one at hand and one that waits, to be made or to be written. */
	unsigned int nr_pages = 2 * threads;
	size_t size = sizeof(struct pages) + nr_pages * sizeof(struct page);
	struct pages *pages = aligned_alloc(CACHE_LINE, size);

	if (!pages)
		return NULL;
	memset(pages, 0, size);
	pages->print = print;
	pages->nr_pages = nr_pages;
	pages->most_threads = threads - 1;
	pthread_mutex_init(&pages->lock, NULL);
	pthread_cond_init(&pages->filled_one, NULL);
	pthread_cond_init(&pages->written_one, NULL);
	return pages;
}

static struct page *page_at(struct pages *pages, uint64_t number)
{
	return &pages->pages[number % pages->nr_pages];
}

static int make_rows(const struct print *print, struct page *page)
{
	const struct entry *entry;
	size_t at;
	int err = 0;

	for (at = 0; !err && at < page->used; at += entry->size) {
		entry = (const struct entry *)(page->entries + at);
		err = print_row(print, &page->text, &entry->view);
	}
	return err;
}

/* With the lock, which is not held while it writes: one thread at a time does. */
static void write_made(struct pages *pages)
{
	struct page *page = page_at(pages, pages->written);
	int err;

	while (!pages->writing && page->made) {
		pages->writing = true;
		err = pages->err;
		pthread_mutex_unlock(&pages->lock);
		if (!err)
			err = print_write(pages->print, &page->text);
		if (!err)
			err = page->err;
		pthread_mutex_lock(&pages->lock);
		pages->writing = false;
		pages->err = err;
		page->text.used = 0;
		page->used = 0;
		page->made = false;
		pthread_cond_signal(&pages->written_one);
		page = page_at(pages, ++pages->written);
	}
}

/* With the lock, which is not held while it is made. */
static void make_next(struct pages *pages)
{
	struct page *page = page_at(pages, pages->taken++);
	bool useless = pages->err;

	pthread_mutex_unlock(&pages->lock);
	page->err = useless ? 0 : make_rows(pages->print, page);
	pthread_mutex_lock(&pages->lock);
	page->made = true;
	write_made(pages);
}

static void *run(void *context)
{
	struct pages *pages = context;

	pthread_mutex_lock(&pages->lock);
	for (;;) {
		if (pages->taken < pages->filled) {
			make_next(pages);
			continue;
		}
		if (pages->end)
			break;
		pages->idle++;
		pthread_cond_wait(&pages->filled_one, &pages->lock);
		pages->idle--;
	}
	pthread_mutex_unlock(&pages->lock);
	return NULL;
}

/* What can not be begun is not needed: the caller makes pages, too. */
static void begin_thread(struct pages *pages)
{
	if (!pthread_create(&pages->threads[pages->nr_threads], NULL, run, pages))
		pages->nr_threads++;
	else
		pages->most_threads = pages->nr_threads;
}

/* With the lock.  Until @nr pages have been written, of those that are filled. */
static void help_to_write(struct pages *pages, uint64_t nr)
{
	while (pages->written < nr) {
		if (pages->taken < pages->filled)
			make_next(pages);
		else
			pthread_cond_wait(&pages->written_one, &pages->lock);
	}
}

/* The caller's page is full: there is another when this returns. */
static int turn_page(struct pages *pages)
{
	int err;

	pthread_mutex_lock(&pages->lock);
	pages->filled++;
	if (pages->idle || pages->nr_threads == pages->most_threads)
		pthread_cond_signal(&pages->filled_one);
	else
		begin_thread(pages);
	if (pages->filled >= pages->nr_pages)
		help_to_write(pages, pages->filled - pages->nr_pages + 1);
	err = pages->err;
	pthread_mutex_unlock(&pages->lock);
	return err;
}

static size_t align(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

static void copy_view(struct entry *entry, const struct hft_log_view *view)
{
	const struct hft_log_view_site *site = view->site;
	char *text = (char *)&entry->values[site->nr_fields];
	uint8_t type;
	uint32_t i;

	entry->view = *view;
	entry->view.values = entry->values;
	for (i = 0; i < site->nr_fields; i++) {
		type = site->fields[i].type;
		entry->values[i] = view->values[i];
		if (type != HFT_LOG_STRING && type != HFT_LOG_SYMBOL)
			continue;
		entry->values[i].s = text;
		text = stpcpy(text, view->values[i].s) + 1;
	}
	entry->size = align((size_t)(text - (char *)entry));
}

/* An empty page has to have room for the largest record. */
static int make_room(struct page *page, size_t room)
{
	if (room <= page->room)
		return 0;
	free(page->entries);
	page->room = room > PAGE_BYTES ? room : PAGE_BYTES;
	page->entries = malloc(page->room);
	if (page->entries)
		return 0;
	page->room = 0;
	return -ENOMEM;
}

int pages_add(struct pages *pages, const struct hft_log_view *view)
{
	/* Its texts are of the record. */
	size_t most = align(sizeof(struct entry) + view->bytes +
			    view->site->nr_fields * sizeof(view->values[0]));
	struct page *page = page_at(pages, pages->filled);
	struct entry *entry;
	int err = 0;

	if (page->used && page->room - page->used < most) {
		err = turn_page(pages);
		page = page_at(pages, pages->filled);
	}
	if (!err && !page->used)
		err = make_room(page, most);
	if (err)
		return err;
	entry = (struct entry *)(page->entries + page->used);
	copy_view(entry, view);
	page->used += entry->size;
	return 0;
}

int pages_flush(struct pages *pages)
{
	int err;

	pthread_mutex_lock(&pages->lock);
	if (page_at(pages, pages->filled)->used)
		pages->filled++;
	help_to_write(pages, pages->filled);
	err = pages->err;
	pthread_mutex_unlock(&pages->lock);
	return err;
}

static void end_threads(struct pages *pages)
{
	unsigned int i;

	pthread_mutex_lock(&pages->lock);
	pages->taken = pages->filled;
	pages->end = true;
	pthread_cond_broadcast(&pages->filled_one);
	pthread_mutex_unlock(&pages->lock);
	for (i = 0; i < pages->nr_threads; i++)
		pthread_join(pages->threads[i], NULL);
}

void pages_free(struct pages *pages)
{
	unsigned int i;

	if (!pages)
		return;
	end_threads(pages);
	pthread_cond_destroy(&pages->written_one);
	pthread_cond_destroy(&pages->filled_one);
	pthread_mutex_destroy(&pages->lock);
	for (i = 0; i < pages->nr_pages; i++) {
		free(pages->pages[i].entries);
		free(pages->pages[i].text.bytes);
	}
	free(pages);
}
