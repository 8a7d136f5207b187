// SPDX-License-Identifier: GPL-2.0-only
/* An object for log_unload.c, as C and as C++: what it logs, and when it comes and goes. */
#define HFT_LOG_SUBSYSTEM "object"
#include <hft/log.h>

#ifdef __cplusplus
extern "C" {
#endif

int object_log(uint64_t number);
int object_debug(unsigned int *evaluated);

int object_log(uint64_t number)
{
	return hft_log_audit(HFT_LOG_INFO, "number=%lu", number);
}

int object_debug(unsigned int *evaluated)
{
	return hft_log(HFT_LOG_DEBUG, "debug=%u", ++*evaluated);
}

static __attribute__((constructor)) void come(void)
{
	hft_log_audit(HFT_LOG_INFO, "comes");
}

static __attribute__((destructor)) void go(void)
{
	hft_log_audit(HFT_LOG_INFO, "goes");
}

#ifdef __cplusplus
}
#endif
