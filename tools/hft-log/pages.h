/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows that several threads make of records, and that are written in the order in which the
 * records came: by pages.  The caller fills a page with records and goes on to the next, while
 * a thread makes text of it.  Whoever made the page that is to be written next writes it, and
 * those behind it that are made.  A caller who finds no page free makes one itself.
 *
 * The lock is for which page is whose: a page is its owner's alone from when it is taken.  No
 * thread is begun before a page is full and none has nothing to do, so that a short log needs
 * none, and no more are begun than the reading keeps busy.
 */
#ifndef HFT_LOG_PAGES_H
#define HFT_LOG_PAGES_H

#include <hft/log_read.h>

#define PAGES_THREADS_MAX	64u

struct pages;
struct print;

/* For @threads, the caller's among them, @print says how and where to; NULL: no memory. */
struct pages *pages_new(const struct print *print, unsigned int threads);

/* What was not written is lost; NULL: nothing happens. */
void pages_free(struct pages *pages);

/* Both return 0, or the -errno of this or an earlier row or write, behind which none is written. */
int pages_add(struct pages *pages, const struct hft_log_view *view);
int pages_flush(struct pages *pages);

#endif /* HFT_LOG_PAGES_H */
