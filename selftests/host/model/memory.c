// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory as threads see it: store buffers, and which accesses are ordered.  The functions
 * are those that the compiler has instrumented code call, gcc's -fsanitize=thread.
 *
 * A write that is not atomic is in memory at once: of code without data races nobody can
 * tell, as who may read it has acquired what was released after it.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define CELL		4		/* bytes */
#define CELLS		(1U << 16)
#define PARTS		4
#define SYNCS		(1U << 12)
#define FREED		256

const char *model_function;

/* Who has last accessed some bytes of a cell together, without atomics. */
struct part {
	uint8_t bytes;			/* a bit for each; 0: there is no such part */
	uint8_t writer;
	uint8_t readers;
	uint32_t write_at;		/* 0: never */
	uint32_t read_at[FIBERS];
};

struct cell {
	uintptr_t address;
	uint32_t run;
	struct part parts[PARTS];
};

/*
 * What who acquires an address, or a lock, then knows.  @heads: a bit for each thread that
 * has released it: a store of its own does not end what it has released (C11, 5.1.2.4,
 * release sequences), one of another does.
 */
struct sync {
	uintptr_t address;
	uint32_t run;
	uint32_t heads;
	struct clocks clock;
};

static struct cell cells[CELLS];
static struct sync syncs[SYNCS];
static uint32_t run;
static const char *plain_from;		/* the code that accesses memory without atomics */
extern char __executable_start[];
static unsigned int nr_cells, nr_syncs;
static struct {
	uintptr_t begin, end;
} freed[FREED];
static unsigned int nr_freed;

/* Not by the code itself, which would be instrumented. */
void model_in(const char *function)
{
	model_function = function;
}

void model_memory_reset(void)
{
	run++;
	nr_cells = nr_syncs = nr_freed = 0;
}

static uint32_t hash(uintptr_t address, uint32_t size)
{
	return (uint32_t)(address * 0x9e3779b97f4a7c15 >> 40) & (size - 1);
}

static void join(struct clocks *to, const struct clocks *from)
{
	unsigned int i;

	for (i = 0; i < FIBERS; i++) {
		if (from->at[i] > to->at[i])
			to->at[i] = from->at[i];
	}
}

static struct sync *find_sync(uintptr_t address)
{
	uint32_t i = hash(address, SYNCS);

	while (syncs[i].run == run && syncs[i].address != address)
		i = (i + 1) & (SYNCS - 1);
	if (syncs[i].run != run) {
		if (++nr_syncs == SYNCS)
			model_fail("more than %u words are synchronised by", SYNCS);
		syncs[i] = (struct sync){ .address = address, .run = run };
	}
	return &syncs[i];
}

/* NULL: there are more than are remembered. */
static struct cell *find_cell(uintptr_t address)
{
	uint32_t i = hash(address, CELLS);

	while (cells[i].run == run && cells[i].address != address)
		i = (i + 1) & (CELLS - 1);
	if (cells[i].run != run) {
		if (nr_cells > CELLS / 2)
			return NULL;
		nr_cells++;
		cells[i] = (struct cell){ .address = address, .run = run };
	}
	return &cells[i];
}

static void check_freed(uintptr_t address)
{
	unsigned int i;

	for (i = 0; i < nr_freed; i++) {
		if (address - freed[i].begin < freed[i].end - freed[i].begin)
			model_fail("%#lx is used after it was freed", (unsigned long)address);
	}
}

/* From here on nobody is to use it. */
void model_freed(const void *memory, size_t size)
{
	if (nr_freed < FREED) {
		freed[nr_freed].begin = (uintptr_t)memory;
		freed[nr_freed++].end = (uintptr_t)memory + size;
	}
}

static bool knows(const struct fiber *fiber, unsigned int other, uint32_t at)
{
	return fiber->clock.at[other] >= at;
}

static void race(const struct cell *cell, unsigned int other, const char *what)
{
	model_fail("data race of threads %u and %u at %#lx: %s (addr2line %#lx)",
		   model_current->number, other, (unsigned long)cell->address, what,
		   (unsigned long)(plain_from - __executable_start));
}

static void check_part(const struct cell *cell, const struct part *part, bool writes)
{
	unsigned int i;

	if (part->write_at && !knows(model_current, part->writer, part->write_at))
		race(cell, part->writer, writes ? "write after write" : "read after write");
	for (i = 0; writes && i < FIBERS; i++) {
		if (part->readers & 1U << i && !knows(model_current, i, part->read_at[i]))
			race(cell, i, "write after read");
	}
}

/* NULL: of the cell there are more than are remembered. */
static struct part *find_part(struct cell *cell, uint8_t bytes)
{
	unsigned int i;

	for (i = 0; i < PARTS; i++) {
		if (!cell->parts[i].bytes)
			cell->parts[i].bytes = bytes;
		if (cell->parts[i].bytes == bytes)
			return &cell->parts[i];
	}
	return NULL;
}

static void access_cell(uintptr_t address, uint8_t bytes, bool writes)
{
	unsigned int i, self = model_current->number;
	struct cell *cell = find_cell(address);
	struct part *part;

	if (!cell)
		return;
	for (i = 0; i < PARTS; i++) {
		if (cell->parts[i].bytes & bytes)
			check_part(cell, &cell->parts[i], writes);
	}
	part = find_part(cell, bytes);
	if (!part)
		return;
	if (writes) {
		part->writer = (uint8_t)self;
		part->write_at = model_current->clock.at[self];
		part->readers = 0;
	} else {
		part->readers |= (uint8_t)(1U << self);
		part->read_at[self] = model_current->clock.at[self];
	}
}

static bool overlaps(const struct store *store, uintptr_t address, size_t size)
{
	return address < store->address + store->size && store->address < address + size;
}

static void plain(const void *memory, size_t size, bool writes, const void *from)
{
	uintptr_t address = (uintptr_t)memory, end = address + size, cell;
	unsigned int i;

	if (!model_current)
		return;
	plain_from = from;
	for (i = 0; i < model_current->nr_stores; i++) {
		if (overlaps(&model_current->stores[i], address, size)) {
			model_flush(model_current);
			break;
		}
	}
	if (model_is_private(address))
		return;
	check_freed(address);
	for (cell = address & ~(uintptr_t)(CELL - 1); cell < end; cell += CELL) {
		uintptr_t first = cell > address ? cell : address;
		uintptr_t to = cell + CELL < end ? cell + CELL : end;

		access_cell(cell, (uint8_t)(((1U << (to - first)) - 1) << (first - cell)), writes);
	}
}

static void write_memory(const struct store *store)
{
	switch (store->size) {
	case 1:
		*(volatile uint8_t *)store->address = (uint8_t)store->value;
		break;
	case 2:
		*(volatile uint16_t *)store->address = (uint16_t)store->value;
		break;
	case 4:
		*(volatile uint32_t *)store->address = (uint32_t)store->value;
		break;
	default:
		*(volatile uint64_t *)store->address = store->value;
	}
}

static void commit(const struct store *store)
{
	struct sync *sync;

	write_memory(store);
	if (!model_current)
		return;
	sync = find_sync(store->address);
	if (store->releases || !(sync->heads & 1U << store->fiber))
		sync->clock = store->released;
	else
		join(&sync->clock, &store->released);
	sync->heads = 1U << store->fiber;
	model_changed();
}

/* The oldest store of a fiber is seen by all. */
void model_flush_one(struct fiber *fiber)
{
	struct store store = fiber->stores[0];

	memmove(fiber->stores, fiber->stores + 1, --fiber->nr_stores * sizeof(store));
	check_freed(store.address);
	commit(&store);
}

void model_flush(struct fiber *fiber)
{
	while (fiber->nr_stores)
		model_flush_one(fiber);
}

static void tick(struct fiber *fiber)
{
	fiber->clock.at[fiber->number]++;
}

void model_copy_clock(struct fiber *to, const struct fiber *from)
{
	join(&to->clock, &from->clock);
	model_fibers[from->number].clock.at[from->number]++;
}

void model_join_clock(struct fiber *to, const struct fiber *from)
{
	join(&to->clock, &from->clock);
}

void model_acquire(const void *address)
{
	join(&model_current->clock, &find_sync((uintptr_t)address)->clock);
}

void model_release(const void *address)
{
	join(&find_sync((uintptr_t)address)->clock, &model_current->clock);
	tick(model_current);
}

static bool acquires(int order)
{
	return order != __ATOMIC_RELAXED && order != __ATOMIC_RELEASE;
}

static bool releases(int order)
{
	return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

static int weaken(int order)
{
	return model_is(MODEL_RELAXED) ? __ATOMIC_RELAXED : order;
}

static void read_clock(uintptr_t address, int order)
{
	struct fiber *self = model_current;
	const struct sync *sync = find_sync(address);

	join(acquires(order) ? &self->clock : &self->seen, &sync->clock);
}

static struct clocks released(int order)
{
	struct fiber *self = model_current;
	struct clocks clock = releases(order) ? self->clock : self->fence;

	if (releases(order))
		tick(self);
	return clock;
}

/* A read-modify-write goes on with what was released before. */
static void modify_clock(uintptr_t address, int order)
{
	struct clocks clock = released(order);
	struct sync *sync = find_sync(address);

	join(&sync->clock, &clock);
	if (releases(order))
		sync->heads |= 1U << model_current->number;
}

static uint64_t read_memory(uintptr_t address, unsigned int size)
{
	switch (size) {
	case 1:
		return *(volatile uint8_t *)address;
	case 2:
		return *(volatile uint16_t *)address;
	case 4:
		return *(volatile uint32_t *)address;
	}
	return *(volatile uint64_t *)address;
}

static uint64_t load(uintptr_t address, unsigned int size, int order)
{
	struct fiber *self = model_current;
	unsigned int i;

	if (!self)
		return read_memory(address, size);
	model_point("load", (void *)address);
	check_freed(address);
	order = weaken(order);
	for (i = self->nr_stores; i--;) {
		const struct store *store = &self->stores[i];

		if (store->address == address && store->size == size)
			return store->value;
		if (overlaps(store, address, size)) {
			model_flush(self);
			break;
		}
	}
	read_clock(address, order);
	return read_memory(address, size);
}

static void store(uintptr_t address, unsigned int size, uint64_t value, int order)
{
	struct store entry = { .address = address, .value = value, .size = size };
	struct fiber *self = model_current;

	if (!self) {
		commit(&entry);
		return;
	}
	order = weaken(order);
	if (order == __ATOMIC_SEQ_CST) {
		model_point("store", (void *)address);
		model_flush(self);
	}
	check_freed(address);
	entry.fiber = self->number;
	entry.releases = releases(order);
	entry.released = released(order);
	if (order == __ATOMIC_SEQ_CST || model_is_private(address)) {
		model_flush(self);
		commit(&entry);
		return;
	}
	if (self->nr_stores == STORES)
		model_flush_one(self);
	self->stores[self->nr_stores++] = entry;
}

/* Before a read-modify-write, which is locked. */
static int lock(const char *operation, uintptr_t address, int order)
{
	if (!model_current)
		return order;
	model_point(operation, (void *)address);
	model_flush(model_current);
	check_freed(address);
	order = weaken(order);
	read_clock(address, order);
	return order;
}

static void locked_store(uintptr_t address, unsigned int size, uint64_t value, int order)
{
	const struct store entry = { .address = address, .value = value, .size = size };

	if (model_current) {
		if (model_is(MODEL_TORN))
			model_point("second half", (void *)address);
		modify_clock(address, order);
		model_changed();
	}
	write_memory(&entry);
}

void model_fence(int order)
{
	struct fiber *self = model_current;

	if (!self || model_is(MODEL_NO_FENCE))
		return;
	if (order == __ATOMIC_SEQ_CST) {
		if (self->nr_stores)
			model_point("fence", NULL);
		model_flush(self);
	}
	if (acquires(order))
		join(&self->clock, &self->seen);
	if (releases(order)) {
		self->fence = self->clock;
		tick(self);
	}
}

/* What instrumented code calls. */

void __tsan_init(void);
void __tsan_func_entry(void *pc);
void __tsan_func_exit(void);
void __tsan_read_range(void *memory, size_t size);
void __tsan_write_range(void *memory, size_t size);
void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_signal_fence(int order);

void __tsan_init(void) { }
void __tsan_func_entry(void *pc) { (void)pc; }
void __tsan_func_exit(void) { }
#define FROM	__builtin_return_address(0)

void __tsan_read_range(void *memory, size_t size) { plain(memory, size, false, FROM); }
void __tsan_write_range(void *memory, size_t size) { plain(memory, size, true, FROM); }
void __tsan_atomic_thread_fence(int order) { model_fence(order); }
void __tsan_atomic_signal_fence(int order) { (void)order; }

/* Of fibers of the library, which no scenario has. */
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned int flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned int flags);

void *__tsan_get_current_fiber(void) { return NULL; }
void *__tsan_create_fiber(unsigned int flags) { (void)flags; return NULL; }
void __tsan_destroy_fiber(void *fiber) { (void)fiber; }
void __tsan_switch_to_fiber(void *fiber, unsigned int flags) { (void)fiber; (void)flags; }

#define ACCESS(bytes) \
	void __tsan_read##bytes(void *memory); \
	void __tsan_write##bytes(void *memory); \
	void __tsan_unaligned_read##bytes(void *memory); \
	void __tsan_unaligned_write##bytes(void *memory); \
	void __tsan_read##bytes(void *memory) { plain(memory, bytes, false, FROM); } \
	void __tsan_write##bytes(void *memory) { plain(memory, bytes, true, FROM); } \
	void __tsan_unaligned_read##bytes(void *memory) { plain(memory, bytes, false, FROM); } \
	void __tsan_unaligned_write##bytes(void *memory) { plain(memory, bytes, true, FROM); }

ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

#define MODIFY(bits, name, expression) \
	uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *word, \
						    uint##bits##_t value, int order); \
	uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *word, \
						    uint##bits##_t value, int order) \
	{ \
		uint##bits##_t old; \
		order = lock(#name, (uintptr_t)word, order); \
		old = *word; \
		locked_store((uintptr_t)word, bits / 8, (uint##bits##_t)(expression), order); \
		return old; \
	}

#define EXCHANGE(bits, name) \
	int __tsan_atomic##bits##_##name(volatile uint##bits##_t *word, uint##bits##_t *expected, \
					 uint##bits##_t value, int yes, int no); \
	int __tsan_atomic##bits##_##name(volatile uint##bits##_t *word, uint##bits##_t *expected, \
					 uint##bits##_t value, int yes, int no) \
	{ \
		uint##bits##_t old; \
		(void)no; \
		yes = lock(#name, (uintptr_t)word, yes); \
		old = *word; \
		if (old == *expected) { \
			locked_store((uintptr_t)word, bits / 8, value, yes); \
			return 1; \
		} \
		*expected = old; \
		return 0; \
	}

#define ATOMIC(bits) \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *word, int order); \
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *word, uint##bits##_t value, \
					 int order); \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *word, int order) \
	{ \
		return (uint##bits##_t)load((uintptr_t)word, bits / 8, order); \
	} \
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *word, uint##bits##_t value, \
					 int order) \
	{ \
		store((uintptr_t)word, bits / 8, value, order); \
	} \
	MODIFY(bits, exchange, value) \
	MODIFY(bits, fetch_add, old + value) \
	MODIFY(bits, fetch_sub, old - value) \
	MODIFY(bits, fetch_and, old & value) \
	MODIFY(bits, fetch_or, old | value) \
	MODIFY(bits, fetch_xor, old ^ value) \
	EXCHANGE(bits, compare_exchange_strong) \
	EXCHANGE(bits, compare_exchange_weak)

ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)
