/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file that appears whole, in place of one that was there, or not at all. */
#ifndef TOOLS_COMMON_OUTPUT_H
#define TOOLS_COMMON_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

/**
 * struct output - where a command writes to
 * @stream: it
 * @path: of the file that there will be; NULL: @stream is standard output, or what is no file
 * @hidden: of the file until then
 */
struct output {
	FILE *stream;
	char *path;
	char *hidden;
};

/* @path: - is standard output.  Returns 0, or a negative errno, which was told. */
int output_open(struct output *output, const char *path);

/* @keep: the file is whole.  Returns 0, or a negative errno, which was told: there is none. */
int output_close(struct output *output, bool keep);

#endif /* TOOLS_COMMON_OUTPUT_H */
