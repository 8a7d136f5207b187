// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * No logger: the same bytes and a stamp, by plain stores to memory of the process that nobody
 * else reads, as much as a ring has.  How long that takes at its slowest is up to the machine.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define BYTES	(4u << 20)
#define AHEAD	1024u		/* as far as a log call prefetches */
#define HEAD	16u

static char *room;
static size_t position;

static int plain_open(const char *dir)
{
	(void)dir;
	room = malloc(BYTES + AHEAD + 4096);
	if (!room)
		return -1;
	memset(room, 1, BYTES + AHEAD + 4096);
	return 0;
}

static char *begin_record(size_t bytes)
{
	const uint64_t head[] = { bytes, __builtin_ia32_rdtsc() };
	char *at = room + position;
	size_t line;

	memcpy(at, head, HEAD);
	for (line = 0; line < bytes; line += 64)
		__builtin_prefetch(at + AHEAD + line, 1);
	position = (position + bytes) % BYTES;
	return at + HEAD;
}

static void plain_numbers(unsigned int nr)
{
	while (nr--) {
		const uint64_t numbers[] = { log_number++, log_quantity };
		char *at = begin_record(HEAD + sizeof(numbers) + sizeof(log_price));

		memcpy(at, numbers, sizeof(numbers));
		memcpy(at + sizeof(numbers), &log_price, sizeof(log_price));
		__asm__ volatile("" : : : "memory");
	}
}

static void plain_text(unsigned int nr, const char *text)
{
	while (nr--) {
		size_t length = strlen(text);

		memcpy(begin_record((HEAD + length + 8) & ~(size_t)7), text, length + 1);
		__asm__ volatile("" : : : "memory");
	}
}

static void plain_close(void)
{
	free(room);
}

const struct log_peer log_peer_plain = {
	.name = "plain stores",
	.open = plain_open,
	.numbers = plain_numbers,
	.text = plain_text,
	.close = plain_close,
};
