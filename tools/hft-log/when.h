/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFT_LOG_WHEN_H
#define HFT_LOG_WHEN_H

#include <stdint.h>

#define WHEN_BYTES	40

/* UTC of ns since the epoch, to the ns: 2026-11-22T03:15:01.500000000Z */
const char *when(uint64_t ns, char text[static WHEN_BYTES]);

#endif /* HFT_LOG_WHEN_H */
