// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpulist.h"

#define WORD_BITS	32

static bool parse_cpu(const char **at, unsigned long *cpu)
{
	char *end;

	if (**at == 'N') {
		*cpu = CPU_SETSIZE - 1;
		++*at;
		return true;
	}
	if (!isdigit((unsigned char)**at))
		return false;
	*cpu = strtoul(*at, &end, 10);
	*at = end;
	return *cpu < CPU_SETSIZE;
}

/* ":2/4" behind a range */
static bool parse_groups(const char **at, unsigned long *used, unsigned long *group)
{
	*used = 1;
	*group = 1;
	if (**at != ':')
		return true;
	++*at;
	if (!parse_cpu(at, used) || **at != '/')
		return false;
	++*at;
	return parse_cpu(at, group) && *group && *used <= *group;
}

static bool parse_range(const char **at, cpu_set_t *set)
{
	unsigned long first, last, used, group, cpu;

	if (!strncmp(*at, "all", 3)) {
		*at += 3;
		first = 0;
		last = CPU_SETSIZE - 1;
	} else {
		if (!parse_cpu(at, &first))
			return false;
		last = first;
		if (**at == '-') {
			++*at;
			if (!parse_cpu(at, &last) || last < first)
				return false;
		}
	}
	if (!parse_groups(at, &used, &group))
		return false;
	for (cpu = first; cpu <= last; cpu++) {
		if ((cpu - first) % group < used)
			CPU_SET(cpu, set);
	}
	return true;
}

static bool skip_word(const char **at)
{
	if (!isalpha((unsigned char)**at) || **at == 'N' || !strncmp(*at, "all", 3))
		return false;
	*at += strcspn(*at, ",");
	return true;
}

bool hft_cpulist_parse(const char *text, bool words, cpu_set_t *set)
{
	const char *at = text;

	CPU_ZERO(set);
	while (isspace((unsigned char)*at))
		at++;
	while (*at && !isspace((unsigned char)*at)) {
		if (!(words && skip_word(&at)) && !parse_range(&at, set))
			return false;
		if (*at == ',')
			at++;
		else if (*at && !isspace((unsigned char)*at))
			return false;
	}
	return true;
}

static int last_of_run(const cpu_set_t *set, int cpu)
{
	while (cpu + 1 < CPU_SETSIZE && CPU_ISSET(cpu + 1, set))
		cpu++;
	return cpu;
}

void hft_cpulist_print(const cpu_set_t *set, char *text, size_t size)
{
	static const char more[] = "...";
	size_t used = 0;
	char range[24];
	int cpu, last, length;

	text[0] = '\0';
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, set))
			continue;
		last = last_of_run(set, cpu);
		length = snprintf(range, sizeof(range), last == cpu ? "%s%d" : "%s%d-%d",
				  used ? "," : "", cpu, last);
		if (used + (size_t)length + sizeof(more) > size) {
			snprintf(text + used, size - used, "%s", more);
			return;
		}
		memcpy(text + used, range, (size_t)length + 1);
		used += (size_t)length;
		cpu = last;
	}
}

static unsigned int word_of(const cpu_set_t *set, int word)
{
	unsigned int bits = 0;
	int bit;

	for (bit = 0; bit < WORD_BITS; bit++) {
		if (CPU_ISSET(word * WORD_BITS + bit, set))
			bits |= 1U << bit;
	}
	return bits;
}

void hft_cpumask_print(const cpu_set_t *set, char *text, size_t size)
{
	int word = CPU_SETSIZE / WORD_BITS - 1;
	size_t used;

	while (word > 0 && !word_of(set, word))
		word--;
	used = (size_t)snprintf(text, size, "%x", word_of(set, word));
	while (--word >= 0 && used < size)
		used += (size_t)snprintf(text + used, size - used, ",%08x", word_of(set, word));
}

bool hft_cpumask_parse(const char *text, cpu_set_t *set)
{
	size_t length = strcspn(text, "\n"), bit = 0, i;
	char digit[2] = "";
	unsigned long value, n;

	CPU_ZERO(set);
	for (i = length; i-- > 0;) {
		if (text[i] == ',')
			continue;
		if (!isxdigit((unsigned char)text[i]))
			return false;
		digit[0] = text[i];
		value = strtoul(digit, NULL, 16);
		for (n = 0; n < 4; n++, bit++) {
			if (!(value >> n & 1))
				continue;
			if (bit >= CPU_SETSIZE)
				return false;
			CPU_SET(bit, set);
		}
	}
	return length;
}

void hft_cpus_without(cpu_set_t *set, const cpu_set_t *others)
{
	int cpu;

	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, others))
			CPU_CLR(cpu, set);
	}
}
