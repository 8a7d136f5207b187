// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the library has of the system: the linker has its calls come here (--wrap).  Outside
 * of a scenario they are the system's.
 */
#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <malloc.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

#define MUTEXES		64
#define FREED		512

extern char __start_model_tls[] __attribute__((weak));
extern char __stop_model_tls[] __attribute__((weak));

static struct {
	const void *mutex;
	bool locked;
} mutexes[MUTEXES];
static unsigned int nr_mutexes;
static void (*destructors[KEYS])(void *value);
static bool key_used[KEYS];
static const pthread_once_t *onces[KEYS];
static unsigned int nr_onces;
static void *freed[FREED];
static unsigned int nr_freed;
static char *tls_template;

void __real_free(void *memory);

void model_system_reset(void)
{
	nr_mutexes = nr_onces = 0;
	memset(key_used, 0, sizeof(key_used));
	while (nr_freed)
		__real_free(freed[--nr_freed]);
}

/* The variables of a thread. */

size_t model_tls_size(void)
{
	return (size_t)(__stop_model_tls - __start_model_tls);
}

bool model_is_tls(uintptr_t address)
{
	return address - (uintptr_t)__start_model_tls < model_tls_size();
}

void model_tls_new(void *tls)
{
	if (!tls_template) {
		tls_template = malloc(model_tls_size() + 1);
		memcpy(tls_template, __start_model_tls, model_tls_size());
	}
	memcpy(tls, tls_template, model_tls_size());
}

void model_tls_save(void *tls)
{
	memcpy(tls, __start_model_tls, model_tls_size());
}

void model_tls_load(const void *tls)
{
	memcpy(__start_model_tls, tls, model_tls_size());
}

/* Memory that is freed stays what it is until the run is over. */
void __wrap_free(void *memory);
void __wrap_free(void *memory)
{
	if (!memory || !model_current || nr_freed == FREED) {
		__real_free(memory);
		return;
	}
	model_flush(model_current);
	model_freed(memory, malloc_usable_size(memory));
	freed[nr_freed++] = memory;
}

/* The clock goes on as it is looked at. */
uint64_t __real_hft_now(void);
uint64_t __wrap_hft_now(void);
uint64_t __wrap_hft_now(void)
{
	return model_current ? model_clock += model_tick : __real_hft_now();
}

int __wrap_sched_yield(void);
int __wrap_sched_yield(void)
{
	model_pause();
	return 0;
}

static uint32_t tid_of(const struct fiber *fiber)
{
	return 1000 + fiber->number;
}

/* The kernel has the lock go over to who has waited for the longest time. */
static void lock_by_kernel(uint32_t *word)
{
	uint32_t tid = tid_of(model_current);

	if (!(*word & FUTEX_TID_MASK)) {
		*word = tid;
		return;
	}
	*word |= FUTEX_WAITERS;
	model_sleep(word, FOREVER);
}

static void unlock_by_kernel(uint32_t *word)
{
	struct fiber *next = NULL;
	unsigned int i, waiters = 0;

	for (i = 1; i <= model_nr_fibers; i++) {
		struct fiber *fiber =
			&model_fibers[(model_current->number + i) % model_nr_fibers];

		if (fiber->ended || !fiber->sleeps || fiber->word != word)
			continue;
		waiters++;
		if (!next)
			next = fiber;
	}
	*word = !next ? 0 : tid_of(next) | (waiters > 1 ? FUTEX_WAITERS : 0);
	if (next)
		next->sleeps = false;
	model_changed();
}

static long futex(uint32_t *word, int operation, uint32_t value, const struct timespec *until)
{
	uint64_t time = FOREVER;

	switch (operation & FUTEX_CMD_MASK) {
	case FUTEX_WAIT_BITSET:
		if (until)
			time = (uint64_t)until->tv_sec * 1000000000 + (uint64_t)until->tv_nsec;
		model_point("futex wait", word);
		model_flush(model_current);
		errno = EAGAIN;
		if (*word != value)
			return -1;
		errno = ETIMEDOUT;
		return model_sleep(word, time) ? 0 : -1;
	case FUTEX_WAKE:
		model_point("futex wake", word);
		model_flush(model_current);
		return model_wake(word, (int)value);
	case FUTEX_LOCK_PI:
		model_point("futex lock", word);
		model_flush(model_current);
		lock_by_kernel(word);
		return 0;
	case FUTEX_UNLOCK_PI:
		model_point("futex unlock", word);
		model_flush(model_current);
		unlock_by_kernel(word);
		return 0;
	}
	model_fail("futex operation %d", operation);
}

static long membarrier(int command)
{
	unsigned int i;

	if (command != MEMBARRIER_CMD_PRIVATE_EXPEDITED || model_is(MODEL_NO_MEMBARRIER))
		return 0;
	model_point("membarrier", NULL);
	for (i = 0; i < model_nr_fibers; i++)
		model_flush(&model_fibers[i]);
	return 0;
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
	long args[6];
	va_list list;
	int i;

	va_start(list, number);
	for (i = 0; i < 6; i++)
		args[i] = va_arg(list, long);
	va_end(list);
	if (model_current && number == SYS_futex)
		return futex((uint32_t *)args[0], (int)args[1], (uint32_t)args[2],
			     (const struct timespec *)args[3]);
	if (model_current && number == SYS_membarrier)
		return membarrier((int)args[0]);
	if (model_current && number == SYS_gettid)
		return tid_of(model_current);
	return __real_syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

/* Mutexes. */

static bool *lock_of(const void *mutex)
{
	unsigned int i;

	for (i = 0; i < nr_mutexes; i++) {
		if (mutexes[i].mutex == mutex)
			return &mutexes[i].locked;
	}
	if (nr_mutexes == MUTEXES)
		model_fail("more than %d mutexes", MUTEXES);
	mutexes[nr_mutexes].mutex = mutex;
	mutexes[nr_mutexes].locked = false;
	return &mutexes[nr_mutexes++].locked;
}

int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	bool *locked;

	if (!model_current)
		return __real_pthread_mutex_lock(mutex);
	model_function = "pthread_mutex_lock";
	model_point("lock", mutex);
	model_flush(model_current);
	locked = lock_of(mutex);
	while (*locked)
		model_sleep(mutex, FOREVER);
	*locked = true;
	model_acquire(mutex);
	return 0;
}

int __real_pthread_mutex_trylock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_trylock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_trylock(pthread_mutex_t *mutex)
{
	bool *locked;

	if (!model_current)
		return __real_pthread_mutex_trylock(mutex);
	model_function = "pthread_mutex_trylock";
	model_point("try lock", mutex);
	model_flush(model_current);
	locked = lock_of(mutex);
	if (*locked)
		return EBUSY;
	*locked = true;
	model_acquire(mutex);
	return 0;
}

int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	if (!model_current)
		return __real_pthread_mutex_unlock(mutex);
	model_function = "pthread_mutex_unlock";
	model_point("unlock", mutex);
	model_flush(model_current);
	model_release(mutex);
	*lock_of(mutex) = false;
	model_wake(mutex, FIBERS);
	model_changed();
	return 0;
}

/* Keys of threads. */

int __real_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
int __wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
	unsigned int i;

	for (i = 0; i < KEYS && key_used[i]; i++)
		;
	if (i == KEYS)
		return EAGAIN;
	key_used[i] = true;
	destructors[i] = destructor;
	*key = i;
	return 0;
}

int __wrap_pthread_key_delete(pthread_key_t key);
int __wrap_pthread_key_delete(pthread_key_t key)
{
	key_used[key] = false;
	return 0;
}

int __wrap_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
	model_current->keys[key] = (void *)value;
	return 0;
}

void *__wrap_pthread_getspecific(pthread_key_t key);
void *__wrap_pthread_getspecific(pthread_key_t key)
{
	return model_current->keys[key];
}

void model_end_keys(void)
{
	unsigned int i;

	for (i = 0; i < KEYS; i++) {
		void *value = model_current->keys[i];

		model_current->keys[i] = NULL;
		if (key_used[i] && value && destructors[i])
			destructors[i](value);
	}
}

/* Each run has keys, and what else is made once, of its own. */
int __wrap_pthread_once(pthread_once_t *once, void (*fn)(void));
int __wrap_pthread_once(pthread_once_t *once, void (*fn)(void))
{
	unsigned int i;

	for (i = 0; i < nr_onces; i++) {
		if (onces[i] == once) {
			model_acquire(once);
			return 0;
		}
	}
	if (nr_onces == KEYS)
		model_fail("more than %d are made once", KEYS);
	onces[nr_onces++] = once;
	fn();
	model_release(once);
	return 0;
}

int __wrap_pthread_atfork(void (*before)(void), void (*parent)(void), void (*child)(void));
int __wrap_pthread_atfork(void (*before)(void), void (*parent)(void), void (*child)(void))
{
	(void)before;
	(void)parent;
	(void)child;
	return 0;
}

/* Threads. */

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg)
{
	(void)attr;
	model_flush(model_current);
	*thread = (pthread_t)model_fork(fn, arg);
	return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result)
{
	const struct fiber *fiber = (const struct fiber *)thread;

	if (result)
		*result = NULL;
	if (!fiber->ended)
		model_sleep(fiber, FOREVER);
	model_join_clock(model_current, fiber);
	return 0;
}

int __wrap_pthread_setname_np(pthread_t thread, const char *name);
int __wrap_pthread_setname_np(pthread_t thread, const char *name)
{
	(void)thread;
	(void)name;
	return 0;
}
