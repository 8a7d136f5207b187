// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "irq.h"
#include "sysfs.h"

struct handler {
	const char *root;
	unsigned int irq;
	char *name;
	size_t size;
	bool found;
};

/* Each handler has a folder there, of its name. */
static bool is_handler(void *arg, const char *entry)
{
	struct handler *handler = arg;

	if (!hft_path_exists(handler->root, "/proc/irq/%u/%s/.", handler->irq, entry))
		return true;
	snprintf(handler->name, handler->size, "%s", entry);
	handler->found = true;
	return false;
}

bool hft_irq_handler(const char *root, unsigned int irq, char *name, size_t size)
{
	struct handler handler = { .root = root, .irq = irq, .name = name, .size = size };
	char path[48];

	snprintf(path, sizeof(path), "/proc/irq/%u", irq);
	hft_for_each_entry(root, path, is_handler, &handler);
	return handler.found;
}

struct each_irq {
	const char *root;
	bool (*fn)(void *arg, unsigned int irq, const char *handler);
	void *arg;
};

static bool visit(void *arg, const char *entry)
{
	const struct each_irq *each = arg;
	char handler[64];
	unsigned int irq;

	if (!isdigit((unsigned char)entry[0]))
		return true;
	irq = (unsigned int)strtoul(entry, NULL, 10);
	return !hft_irq_handler(each->root, irq, handler, sizeof(handler)) ||
	       each->fn(each->arg, irq, handler);
}

void hft_for_each_irq(const char *root,
		      bool (*fn)(void *arg, unsigned int irq, const char *handler), void *arg)
{
	struct each_irq each = { .root = root, .fn = fn, .arg = arg };

	hft_for_each_entry(root, "/proc/irq", visit, &each);
}
