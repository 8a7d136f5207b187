/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the capabilities of the library have in common: options, answers and errors. */
#ifndef HFT_OPTIONS_H
#define HFT_OPTIONS_H

#include <stddef.h>

/* engine/error.c */
int hft_fail(int err, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

/* engine/open.c */
int hft_read_opts(void *opts, size_t size, const void *user);
int hft_check_answer(const void *user);
void hft_answer(void *user, const void *answer, size_t size);

#endif /* HFT_OPTIONS_H */
