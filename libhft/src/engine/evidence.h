/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Evidence of controls, in the log of the process, if one is open.  evidence.c */
#ifndef HFT_ENGINE_EVIDENCE_H
#define HFT_ENGINE_EVIDENCE_H

#include <linux/hft.h>

struct hft;
struct hft_ring;

void hft_evidence_halt(const struct hft *h, const struct hft_halt *halt);
void hft_evidence_refused(struct hft *h, const struct hft_task *task, int err)
	__attribute__((cold));
void hft_evidence_notice(struct hft_ring *ring, const struct hft_event *event);

#endif /* HFT_ENGINE_EVIDENCE_H */
