// SPDX-License-Identifier: GPL-2.0-only
/* Each file of the folders that are named, once: what was found stays mended. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static int run_file(const char *folder, const char *name)
{
	char path[4096];
	size_t size;
	char *data;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "r");
	if (!f || fseek(f, 0, SEEK_END)) {
		perror(path);
		exit(2);
	}
	size = (size_t)ftell(f);
	rewind(f);
	data = malloc(size);	/* of its size alone, for the sanitizer */
	if (size && fread(data, 1, size, f) != size) {
		perror(path);
		exit(2);
	}
	fclose(f);
	LLVMFuzzerTestOneInput((const uint8_t *)data, size);
	free(data);
	return 1;
}

static int run_folder(const char *folder)
{
	struct dirent *entry;
	DIR *dir = opendir(folder);
	int count = 0;

	if (!dir) {
		perror(folder);
		exit(2);
	}
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			count += run_file(folder, entry->d_name);
	closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	int i, count = 0;

	for (i = 1; i < argc; i++)
		count += run_folder(argv[i]);
	printf("%d inputs\n", count);
	return count ? 0 : 1;
}
