/* SPDX-License-Identifier: GPL-2.0-only */
/* The n-th allocation of a scenario fails: the linker sends the library's here. */
#ifndef NO_MEMORY_H
#define NO_MEMORY_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

/* Of the calls below one fails when this comes down to 0. */
static atomic_long until_failure;
static atomic_long live;

static bool fails(void)
{
	return atomic_load(&until_failure) > 0 && atomic_fetch_sub(&until_failure, 1) == 1;
}

static void *counted(void *memory)
{
	if (memory)
		atomic_fetch_add(&live, 1);
	return memory;
}

#define WRAP(type, name, parameters, args, failure, result) \
	type __real_##name parameters; \
	type __wrap_##name parameters; \
	type __wrap_##name parameters \
	{ \
		if (fails()) { \
			errno = ENOMEM; \
			return failure; \
		} \
		return result(__real_##name args); \
	}

WRAP(void *, malloc, (size_t size), (size), NULL, counted)
WRAP(void *, calloc, (size_t nr, size_t size), (nr, size), NULL, counted)
WRAP(void *, aligned_alloc, (size_t align, size_t size), (align, size), NULL, counted)
WRAP(char *, strdup, (const char *text), (text), NULL, counted)
WRAP(int, mprotect, (void *memory, size_t size, int prot), (memory, size, prot), -1,)
WRAP(int, pthread_create,
     (pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg),
     (thread, attr, fn, arg), EAGAIN,)
WRAP(int, pthread_key_create, (pthread_key_t *key, void (*end)(void *)), (key, end), EAGAIN,)
WRAP(int, pthread_setspecific, (pthread_key_t key, const void *value), (key, value), ENOMEM,)

void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size)
{
	if (fails())
		return NULL;
	return memory ? __real_realloc(memory, size) : counted(__real_realloc(memory, size));
}

void *__real_reallocarray(void *memory, size_t nr, size_t size);
void *__wrap_reallocarray(void *memory, size_t nr, size_t size);
void *__wrap_reallocarray(void *memory, size_t nr, size_t size)
{
	if (fails())
		return NULL;
	return memory ? __real_reallocarray(memory, nr, size) :
			counted(__real_reallocarray(memory, nr, size));
}

void __real_free(void *memory);
void __wrap_free(void *memory);
void __wrap_free(void *memory)
{
	if (memory)
		atomic_fetch_sub(&live, 1);
	__real_free(memory);
}

void *__real_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	if (fails()) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	at = __real_mmap(at, size, prot, flags, fd, offset);
	if (at != MAP_FAILED)
		atomic_fetch_add(&live, 1);
	return at;
}

int __real_munmap(void *memory, size_t size);
int __wrap_munmap(void *memory, size_t size);
int __wrap_munmap(void *memory, size_t size)
{
	atomic_fetch_sub(&live, 1);
	return __real_munmap(memory, size);
}

/* Returns whether there was an n-th. */
static bool attempt(int (*scenario)(void), long n, int *err)
{
	atomic_store(&until_failure, n);
	*err = scenario();
	return atomic_exchange(&until_failure, 0) <= 0;
}

#endif /* NO_MEMORY_H */
