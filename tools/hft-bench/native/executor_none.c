// SPDX-License-Identifier: LGPL-2.1-or-later
/* In oneTBB's place where it is not installed. */
#include "executor.h"

const struct executor_side executor_tbb = { .name = "oneTBB" };
