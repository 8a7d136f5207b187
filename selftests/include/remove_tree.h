/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef REMOVE_TREE_H
#define REMOVE_TREE_H

#include <ftw.h>
#include <stdio.h>

static inline int remove_tree_one(const char *path, const struct stat *st, int type,
				  struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* A folder with all that is in it. */
static inline int remove_tree(const char *root)
{
	return nftw(root, remove_tree_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif /* REMOVE_TREE_H */
