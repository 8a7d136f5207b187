/* SPDX-License-Identifier: GPL-2.0-only */
/* Included first by coverage's tests: kselftest's children leave by _exit(), which counts nothing. */
#ifndef HFT_GCOV_H
#define HFT_GCOV_H

#include <unistd.h>

void __gcov_dump(void);

#define _exit(status)	(__gcov_dump(), _exit(status))

#endif /* HFT_GCOV_H */
