// SPDX-License-Identifier: LGPL-2.1-or-later
/* Of a peer that the machine does not have. */
#include "log.h"

#if !defined(HAVE_LTTNG) || !defined(HAVE_SPDLOG)
static int none_open(const char *dir)
{
	(void)dir;
	return -1;
}
#endif

#ifndef HAVE_LTTNG
const struct log_peer log_peer_lttng = { .name = "lttng-ust", .open = none_open };
#endif
#ifndef HAVE_SPDLOG
const struct log_peer log_peer_spdlog = { .name = "spdlog", .open = none_open };
#endif
