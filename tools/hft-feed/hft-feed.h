/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFT_FEED_TOOL_H
#define HFT_FEED_TOOL_H

#include <stdbool.h>
#include <stdint.h>
#include <hft/feed.h>

/* Each gets its own arguments, its name first, and returns an exit status. */
int cmd_dump(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_generate(int argc, char **argv);

/* For --limit; says what is wrong. */
bool parse_limit(const char *text, uint64_t *limit);

/* Open a feed, or say why not. */
struct hft_feed *open_feed(const char *path);
/* Say what ended a feed, and what was odd about it; returns an exit status. */
int close_feed(struct hft_feed *feed, const char *path, int ret);

#endif /* HFT_FEED_TOOL_H */
