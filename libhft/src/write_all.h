/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFT_WRITE_ALL_H
#define HFT_WRITE_ALL_H

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

/* As write(2), all of it, whatever signals come meanwhile.  Returns 0 or -errno. */
static inline int hft_write_all(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;
	ssize_t done;

	for (; size; at += done, size -= (size_t)done) {
		done = write(fd, at, size);
		if (done < 0 && errno == EINTR)
			done = 0;
		else if (done <= 0)
			return done ? -errno : -EIO;
	}
	return 0;
}

#endif /* HFT_WRITE_ALL_H */
