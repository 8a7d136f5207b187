/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFTCTL_COUNTERS_H
#define HFTCTL_COUNTERS_H

#include <jansson.h>

/*
 * Each adds an object for each counter: of the rings of a context and their classes, or of
 * the CPUs and what all rings there have.  Returns 0 or -errno.
 */
int counters_add_context(int fd, int context, json_t *rows);
int counters_add_all(json_t *rows);

#endif /* HFTCTL_COUNTERS_H */
