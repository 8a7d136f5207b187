// SPDX-License-Identifier: LGPL-2.1-or-later
/* In oneTBB's place where it is not installed. */
#include <stddef.h>

#include "inproc.h"

const struct inproc_peer inproc_tbb = { .name = "oneTBB task_arena.enqueue" };
