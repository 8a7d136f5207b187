// SPDX-License-Identifier: LGPL-2.1-or-later
/* See remove.h. */
#include <ftw.h>
#include <stdio.h>

#include "remove.h"

static int hft_log_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int hft_log_remove_folder(const char *path)
{
	return nftw(path, hft_log_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
