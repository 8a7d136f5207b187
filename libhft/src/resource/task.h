/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tasks of a pool that declare what they need. */
#ifndef HFT_RESOURCE_TASK_H
#define HFT_RESOURCE_TASK_H

struct hft_owner;
struct hft_pool;
struct hft_pool_worker;
struct hft_spawn_opts;
struct hft_spawner;
struct hft_work;

int hft_task_check(const struct hft_spawn_opts *opts);
struct hft_owner *hft_task_make(struct hft_spawner *self, struct hft_work *work,
				const struct hft_spawn_opts *opts);
void hft_task_claim(struct hft_owner *task);
void hft_task_begin(struct hft_owner *task);
void hft_task_end(struct hft_owner *task);
void hft_task_resume(struct hft_pool_worker *worker);
void hft_tasks_have_worker(struct hft_pool *pool);
void hft_tasks_lose_worker(struct hft_pool *pool);
void hft_tasks_cancel(struct hft_pool *pool);

#endif /* HFT_RESOURCE_TASK_H */
