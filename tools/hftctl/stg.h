/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFTCTL_STG_H
#define HFTCTL_STG_H

#include <hft/graph.h>

/*
 * Read a graph in the format of the Standard Task Graph Set (T. Tobita and H. Kasahara,
 * "A standard task graph set for fair evaluation of multiprocessor scheduling
 * algorithms", Journal of Scheduling 5 (5), 2002): how many tasks there are without the
 * first and the last, and a line for each: its number, its time, how many it comes after
 * and which.  "-" is standard input.  Returns 0, or -errno after it has printed the reason.
 */
int stg_read(const char *path, struct hft_graph **graph);

#endif /* HFTCTL_STG_H */
