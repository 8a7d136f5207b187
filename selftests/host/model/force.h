/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Comes before all else in each source that the model runs: which function an operation
 * is in, for mutants and traces, and what the compiler's instrumentation does not show.
 */
#ifndef HFT_MODEL_FORCE_H
#define HFT_MODEL_FORCE_H

#include <errno.h>
#include <stdatomic.h>

/* memory.c */
void model_in(const char *function);
void model_fence(int order);

/* scheduler.c */
void model_pause(void);

/* The builtins that <stdatomic.h> is made of, and the library uses. */
#define model_at(operation) ({ model_in(__func__); operation; })
#define __atomic_thread_fence(...)		model_at(model_fence(__VA_ARGS__))
#define __atomic_load(...)			model_at(__atomic_load(__VA_ARGS__))
#define __atomic_load_n(...)			model_at(__atomic_load_n(__VA_ARGS__))
#define __atomic_store(...)			model_at(__atomic_store(__VA_ARGS__))
#define __atomic_store_n(...)			model_at(__atomic_store_n(__VA_ARGS__))
#define __atomic_exchange(...)			model_at(__atomic_exchange(__VA_ARGS__))
#define __atomic_exchange_n(...)		model_at(__atomic_exchange_n(__VA_ARGS__))
#define __atomic_compare_exchange(...)		model_at(__atomic_compare_exchange(__VA_ARGS__))
#define __atomic_compare_exchange_n(...)	model_at(__atomic_compare_exchange_n(__VA_ARGS__))
#define __atomic_fetch_add(...)			model_at(__atomic_fetch_add(__VA_ARGS__))
#define __atomic_fetch_sub(...)			model_at(__atomic_fetch_sub(__VA_ARGS__))
#define __atomic_fetch_or(...)			model_at(__atomic_fetch_or(__VA_ARGS__))
#define __atomic_fetch_and(...)			model_at(__atomic_fetch_and(__VA_ARGS__))
#define __atomic_test_and_set(...)		model_at(__atomic_test_and_set(__VA_ARGS__))
#define __atomic_clear(...)			model_at(__atomic_clear(__VA_ARGS__))
#define __builtin_ia32_pause()			model_pause()

/* The variables of a thread are put there when it runs: system.c. */
#define tls_model(model)
#define __thread	__attribute__((section("model_tls")))
#undef _Thread_local
#define _Thread_local	__attribute__((section("model_tls")))

#endif /* HFT_MODEL_FORCE_H */
