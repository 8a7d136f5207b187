/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Has a process that has ended left rings of that log?  A chunk, a stream's file and what is no
 * log have none.  tell_left() says so on stderr, and what to do.
 */
#ifndef TOOLS_COMMON_LEFT_H
#define TOOLS_COMMON_LEFT_H

#include <stdbool.h>

bool has_left(const char *log);
bool tell_left(const char *log);

#endif /* TOOLS_COMMON_LEFT_H */
