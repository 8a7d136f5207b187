/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small files of the kernel's, below a folder: "" is this machine. */
#ifndef HFT_SYSFS_H
#define HFT_SYSFS_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * The first line of a file, without its end; as much of it as fits.  @format is the path,
 * as /sys/...  Returns 0, -ENODATA for an empty file, or why it can not be read.
 */
int hft_read_line(const char *root, char *line, size_t size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The whole of it, ended by a NUL.  Returns its length, or -errno. */
int hft_read_text(const char *root, char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The number that it begins with.  -EINVAL: it does not. */
int hft_read_number(const char *root, long long *number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The CPUs that it lists; none of a list that is empty or "(null)". */
int hft_read_cpus(const char *root, cpu_set_t *set, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Of a file such as "always [madvise] never" the word in brackets; without any, all of it. */
void hft_chosen_word(char *line);

bool hft_path_exists(const char *root, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Call @fn for each entry of a folder but those that begin with a dot, until it says false. */
void hft_for_each_entry(const char *root, const char *path,
			bool (*fn)(void *arg, const char *name), void *arg);

#endif /* HFT_SYSFS_H */
