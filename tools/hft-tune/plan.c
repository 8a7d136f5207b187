// SPDX-License-Identifier: LGPL-2.1-or-later
/* A list of changes. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <common/tool.h>

#include "hft-tune.h"

static void free_change(struct change *change)
{
	free(change->path);
	free(change->old);
	free(change->value);
}

static int append(struct plan *plan, const struct change *change)
{
	struct change *grown = realloc(plan->changes, (plan->nr + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	plan->changes = grown;
	plan->changes[plan->nr++] = *change;
	return 0;
}

/* What is not there needs no change, and what is as it should be neither. */
static int add_path(struct plan *plan, const char *name, const char *value, const char *path)
{
	struct change change = { .name = name };
	char old[VALUE_SIZE];
	int err = value_read(plan->root, path, old, sizeof(old));

	if (err == -ENOENT || err == -ENOTDIR || err == -ENODEV)
		return 0;
	if (err)
		return fail(-err, "%s: %s can not be read, and stays as it is", name, path);
	if (value_same(path, old, value))
		return 0;
	change.path = strdup(path);
	change.old = strdup(old);
	change.value = strdup(value);
	if (!change.path || !change.old || !change.value || append(plan, &change)) {
		free_change(&change);
		return fail(ENOMEM, "%s", path);
	}
	return 0;
}

int plan_add(struct plan *plan, const char *name, const char *value, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	int err, length;

	va_start(args, format);
	length = vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	if (length < 0 || length >= (int)sizeof(path))
		return -ENAMETOOLONG;
	err = add_path(plan, name, value, path);
	if (err && !plan->err)
		plan->err = err;
	return err;
}

void plan_free(struct plan *plan)
{
	size_t i;

	for (i = 0; i < plan->nr; i++)
		free_change(&plan->changes[i]);
	free(plan->changes);
}
