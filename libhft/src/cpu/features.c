// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the CPU offers: by CPUID, as far as the kernel lets user space have it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#include "../api.h"
#include "../options.h"
#include "cpu.h"

#define BIT(feature)	(1ULL << HFT_FEATURE_##feature)

static const char *const names[HFT_CPU_FEATURES] = {
	"avx2", "avx512", "bmi2", "popcnt", "waitpkg", "cldemote", "prefetchw", "movdiri",
	"serialize", "rdtscp", "invariant_tsc", "rdpmc", "hybrid", "hypervisor",
};

#ifdef __x86_64__
/* As the kernel lets processes: 1 those with a mapped event, 2 all. */
static bool may_rdpmc(void)
{
	FILE *file = fopen("/sys/bus/event_source/devices/cpu/rdpmc", "re");
	int allowed = 0;

	if (!file)
		return false;
	if (fscanf(file, "%d", &allowed) != 1)
		allowed = 0;
	fclose(file);
	return allowed > 0;
}

/* What needs the kernel to save registers, the compiler's library asks it of. */
static uint64_t ask_vectors(void)
{
	uint64_t flags = 0;

	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2"))
		flags |= BIT(AVX2);
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
		flags |= BIT(AVX512);
	if (__builtin_cpu_supports("bmi2"))
		flags |= BIT(BMI2);
	if (__builtin_cpu_supports("popcnt"))
		flags |= BIT(POPCNT);
	return flags;
}

static uint64_t pick(uint32_t word, unsigned int bit, uint64_t flag)
{
	return word >> bit & 1 ? flag : 0;
}

/* Intel SDM vol. 2A, CPUID; AMD APM vol. 3, appendix E. */
static uint64_t ask_cpu(void)
{
	uint64_t flags = ask_vectors();
	uint32_t a, b, c, d;

	if (__get_cpuid(1, &a, &b, &c, &d))
		flags |= pick(c, 31, BIT(HYPERVISOR));
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
		flags |= pick(c, 5, BIT(WAITPKG)) | pick(c, 25, BIT(CLDEMOTE));
		flags |= pick(c, 27, BIT(MOVDIRI));
		flags |= pick(d, 14, BIT(SERIALIZE)) | pick(d, 15, BIT(HYBRID));
	}
	if (__get_cpuid(0x80000001, &a, &b, &c, &d))
		flags |= pick(c, 8, BIT(PREFETCHW)) | pick(d, 27, BIT(RDTSCP));
	if (__get_cpuid(0x80000007, &a, &b, &c, &d))
		flags |= pick(d, 8, BIT(INVARIANT_TSC));
	return flags | (may_rdpmc() ? BIT(RDPMC) : 0);
}
#else
static uint64_t ask_cpu(void)
{
	return 0;
}
#endif

/* "avx512,avx2": as if it had none of these. */
static uint64_t hidden(const char *text)
{
	uint64_t flags = 0;
	size_t length;
	int i;

	for (; *text; text += length + !!text[length]) {
		length = strcspn(text, ",");
		for (i = 0; i < HFT_CPU_FEATURES; i++) {
			if (strlen(names[i]) == length && !strncmp(text, names[i], length))
				flags |= 1ULL << i;
		}
	}
	return flags;
}

uint64_t hft_cpu_flags(void)
{
	const char *hide = secure_getenv("HFT_CPU_HIDE");

	return ask_cpu() & ~hidden(hide ? hide : "");
}

/**
 * hft_cpu_features() - what the instruction set of this CPU offers
 * @user_features: sz is set; the rest is filled in, as far as the caller knows it
 *
 * Without what the environment variable HFT_CPU_HIDE names ("avx512,avx2"): the library
 * does as on a CPU that has not got it.  On other machines than x86-64 it knows of nothing.
 *
 * Any thread; reads a file of sysfs.
 *
 * Return: 0, or -EINVAL: sz is none.
 */
HFT_API int hft_cpu_features(struct hft_cpu_features *user_features)
{
	struct hft_cpu_features features = { .flags = hft_cpu_flags() };
	int err = hft_check_answer(user_features);

	if (err)
		return err;
	snprintf(features.body, sizeof(features.body), "%s", hft_body_choose(features.flags)->name);
	hft_answer(user_features, &features, sizeof(features));
	return 0;
}

/**
 * hft_cpu_feature_name() - the name of a feature
 * @feature: the feature
 *
 * Return: "avx2", "avx512", ...; else NULL.
 */
HFT_API const char *hft_cpu_feature_name(enum hft_cpu_feature feature)
{
	return (unsigned int)feature < HFT_CPU_FEATURES ? names[feature] : NULL;
}
