/* SPDX-License-Identifier: GPL-2.0-only */
/* Folders with files of a machine that is not this one. */
#ifndef TREE_H
#define TREE_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../include/remove_tree.h"

struct tree_file {
	const char *path;	/* as /proc/version */
	const char *text;	/* NULL: there is none */
};

static void tree_path(char *full, const char *root, const char *path)
{
	assert_true(snprintf(full, PATH_MAX, "%s%s", root, path) < PATH_MAX);
}

static void tree_put(const char *root, const char *path, const char *text)
{
	char full[PATH_MAX], *slash;
	FILE *file;

	tree_path(full, root, path);
	if (!text) {
		assert_int_equal(unlink(full), 0);
		return;
	}
	for (slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
	file = fopen(full, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void tree_make(char *root, const struct tree_file *files, size_t nr)
{
	size_t i;

	strcpy(root, "/tmp/hft-tree-XXXXXX");
	assert_non_null(mkdtemp(root));
	for (i = 0; i < nr; i++)
		tree_put(root, files[i].path, files[i].text);
}

static void tree_remove(const char *root)
{
	assert_int_equal(remove_tree(root), 0);
}

#endif /* TREE_H */
