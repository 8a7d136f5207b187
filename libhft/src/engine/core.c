// SPDX-License-Identifier: LGPL-2.1-or-later
/* The scheduler of the kernel module, for what runs in a process. */
#include "core/sched.c"
#include "core/job.c"
#include "core/modify.c"
#include "core/watch.c"
#include "core/chain.c"
#include "core/meter.c"
#include "core/lead.c"
#include "core/halt.c"
#include "core/detect.c"
#include "core/rule.c"
#include "core/fallback.c"
#include "core/metrics.c"
