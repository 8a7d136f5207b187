// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

int samples_init(struct samples *s, size_t size)
{
	s->nr = 0;
	s->size = size;
	s->value = malloc(size * sizeof(*s->value));
	if (!s->value)
		return -ENOMEM;
	/* No page fault while measuring. */
	memset(s->value, 0, size * sizeof(*s->value));
	return 0;
}

void samples_free(struct samples *s)
{
	free(s->value);
	s->value = NULL;
}

void samples_add(struct samples *s, int64_t value)
{
	if (s->nr < s->size)
		s->value[s->nr++] = value;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int64_t samples_percentile(struct samples *s, unsigned int ppm)
{
	size_t rank = (s->nr * ppm + 999999) / 1000000;

	if (!s->nr)
		return 0;
	qsort(s->value, s->nr, sizeof(*s->value), compare);
	return s->value[rank ? rank - 1 : 0];
}

void print_figure(const char *name, double value)
{
	printf("figure %s %.0f\n", name, value);
	fflush(stdout);
}

void print_peer(const char *name, double value, const char *peer)
{
	printf("peer %s %.0f %s\n", name, value, peer);
	fflush(stdout);
}

void print_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("note ");
	vprintf(format, args);
	printf("\n");
	fflush(stdout);
	va_end(args);
}
