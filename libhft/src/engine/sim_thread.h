/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Threads of a simulated machine: fibers of who lets its time go by.  One runs until it
 * waits, for a time or at a futex; only then time goes by for it, and others run.  Each
 * has a CPU of its own.
 */
#ifndef HFT_ENGINE_SIM_THREAD_H
#define HFT_ENGINE_SIM_THREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hft/sim.h>

struct hft_sim_thread;

/* sim_backend.c: the machine whose time is the calling thread's, or NULL */
extern _Thread_local struct hft_sim *hft_sim_current
	__attribute__((tls_model("initial-exec")));

struct hft_sim *hft_sim_use(struct hft_sim *sim);
uint32_t hft_sim_cpus(const struct hft_sim *sim);
void hft_sim_hold(struct hft_sim *sim);
void hft_sim_put(struct hft_sim *sim);

struct hft_sim_thread *hft_sim_thread_start(struct hft_sim *sim, void *stack, size_t size,
					    void (*fn)(void *arg), void *arg);
void hft_sim_thread_abandon(struct hft_sim_thread *thread);
void hft_sim_thread_free(struct hft_sim_thread *thread);
void hft_sim_thread_sleep(struct hft_sim *sim, uint64_t until);
bool hft_sim_has_threads(const struct hft_sim *sim);
bool hft_sim_in_thread(void);

int hft_sim_futex_wait(struct hft_sim *sim, _Atomic uint32_t *word, uint32_t value,
		       uint64_t until);
int hft_sim_futex_wake(struct hft_sim *sim, _Atomic uint32_t *word, int nr);

#endif /* HFT_ENGINE_SIM_THREAD_H */
