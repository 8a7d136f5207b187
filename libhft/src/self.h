/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the library knows of the calling thread, or of that of a simulated machine. */
#ifndef HFT_SELF_H
#define HFT_SELF_H

/**
 * struct hft_self - the caller
 * @spawner: as who spawns tasks, or NULL
 * @owner: as who has resources, or NULL
 */
struct hft_self {
	struct hft_spawner *spawner;
	struct hft_owner *owner;
};

/* engine/sim_thread.c, which changes it from one thread of a machine to the next */
extern __thread struct hft_self hft_self __attribute__((tls_model("initial-exec")));

/* resource/owner.c: its thread, which is the caller, has ended, or is about to */
void hft_owner_exit(struct hft_owner *owner);
void hft_owner_leave(void);

#endif /* HFT_SELF_H */
