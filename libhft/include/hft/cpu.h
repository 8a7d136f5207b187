/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the instruction set of this CPU offers. */
#ifndef HFT_CPU_H
#define HFT_CPU_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * enum hft_cpu_feature - bits of hft_cpu_features.flags
 * @HFT_FEATURE_AVX2: 256-bit integers, and the kernel saves them
 * @HFT_FEATURE_AVX512: 512-bit ones: F, BW, DQ and VL
 * @HFT_FEATURE_BMI2: PEXT, SHLX, ...
 * @HFT_FEATURE_POPCNT: POPCNT
 * @HFT_FEATURE_WAITPKG: UMWAIT: a spinning worker may leave its core's other thread alone
 * @HFT_FEATURE_CLDEMOTE: CLDEMOTE: a line goes to the cache that others share
 * @HFT_FEATURE_PREFETCHW: PREFETCHW: a line comes to be written to
 * @HFT_FEATURE_MOVDIRI: MOVDIRI: a store that is seen by a device at once
 * @HFT_FEATURE_SERIALIZE: SERIALIZE
 * @HFT_FEATURE_RDTSCP: RDTSCP
 * @HFT_FEATURE_INVARIANT_TSC: the TSC counts at one rate, whatever the CPU does
 * @HFT_FEATURE_RDPMC: user space may read the counters of its perf events
 * @HFT_FEATURE_HYBRID: not all cores are of one kind
 * @HFT_FEATURE_HYPERVISOR: this is a virtual machine
 * @HFT_CPU_FEATURES: how many there are
 */
enum hft_cpu_feature {
	HFT_FEATURE_AVX2,
	HFT_FEATURE_AVX512,
	HFT_FEATURE_BMI2,
	HFT_FEATURE_POPCNT,
	HFT_FEATURE_WAITPKG,
	HFT_FEATURE_CLDEMOTE,
	HFT_FEATURE_PREFETCHW,
	HFT_FEATURE_MOVDIRI,
	HFT_FEATURE_SERIALIZE,
	HFT_FEATURE_RDTSCP,
	HFT_FEATURE_INVARIANT_TSC,
	HFT_FEATURE_RDPMC,
	HFT_FEATURE_HYBRID,
	HFT_FEATURE_HYPERVISOR,
	HFT_CPU_FEATURES
};

/**
 * struct hft_cpu_features - what there is
 * @sz: the size of this
 * @flags: bit n: &enum hft_cpu_feature n
 * @body: which build of its hot bodies the library uses: "avx512", "avx2" or "generic"
 */
struct hft_cpu_features {
	size_t sz;
	uint64_t flags;
	char body[16];
};

int hft_cpu_features(struct hft_cpu_features *features);
const char *hft_cpu_feature_name(enum hft_cpu_feature feature);

#ifdef __cplusplus
}
#endif

#endif /* HFT_CPU_H */
