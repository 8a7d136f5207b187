/* SPDX-License-Identifier: GPL-2.0-only */
/* A folder for what a test records and replays. */
#ifndef HFT_HOST_RECORD_FOLDER_H
#define HFT_HOST_RECORD_FOLDER_H

#include <stdio.h>
#include <stdlib.h>

#include "../libhft/record_load.h"

static char folder[] = "/tmp/hft-record-XXXXXX";

static inline const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static inline int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_folder(void **state)
{
	(void)state;
	load_remove(folder);
	return 0;
}

#endif /* HFT_HOST_RECORD_FOLDER_H */
