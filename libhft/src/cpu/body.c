// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The bodies.  A vector is read as its 64-bit words are: on x86 an aligned word is never
 * torn, also as part of a vector, and more is not promised of counts that others add to.
 */
#include <stdatomic.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif
#include <core/hist.h>

#include "cpu.h"

/* Counts that are summed at a time. */
#define BLOCK	64U

static uint32_t find_generic(const uint64_t *counts, uint32_t nr, uint64_t rank, uint64_t *below)
{
	uint64_t sum = 0, count;
	uint32_t i;

	for (i = 0; i < nr; i++) {
		count = hft_load_relaxed(&counts[i]);
		if (sum + count >= rank)
			break;
		sum += count;
	}
	*below = sum;
	return i;
}

static uint64_t sum_generic(const uint64_t *counts, uint32_t nr)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < nr; i++)
		sum += hft_load_relaxed(&counts[i]);
	return sum;
}

/*
 * Whole blocks first.  The one that has the rank is searched count by count, and may have
 * more by then: never less.
 */
#define DEFINE_BODY(build, target_)								\
__attribute__((target(target_), no_sanitize("thread")))						\
static uint32_t find_##build(const uint64_t *counts, uint32_t nr, uint64_t rank,		\
			     uint64_t *below)							\
{												\
	uint64_t sum = 0, block;								\
	uint32_t i;										\
												\
	for (i = 0; i + BLOCK <= nr; i += BLOCK) {						\
		block = block_##build(counts + i);						\
		if (sum + block >= rank)							\
			break;									\
		sum += block;									\
	}											\
	i += find_generic(counts + i, nr - i, rank - sum, below);				\
	*below += sum;										\
	return i;										\
}												\
												\
__attribute__((target(target_), no_sanitize("thread")))						\
static uint64_t sum_##build(const uint64_t *counts, uint32_t nr)				\
{												\
	uint64_t sum = 0;									\
	uint32_t i;										\
												\
	for (i = 0; i + BLOCK <= nr; i += BLOCK)						\
		sum += block_##build(counts + i);						\
	return sum + sum_generic(counts + i, nr - i);						\
}

#ifdef __x86_64__
#define LOAD_256(at)	_mm256_loadu_si256((const __m256i *)(at))
#define LOAD_512(at)	_mm512_loadu_si512((const void *)(at))

/* Four sums, as an addition waits for the one before. */
__attribute__((target("avx2"), no_sanitize("thread")))
static inline uint64_t block_avx2(const uint64_t *counts)
{
	__m256i a = LOAD_256(counts), b = LOAD_256(counts + 4);
	__m256i c = LOAD_256(counts + 8), d = LOAD_256(counts + 12);
	uint64_t words[4];
	uint32_t i;

	for (i = 16; i < BLOCK; i += 16) {
		a = _mm256_add_epi64(a, LOAD_256(counts + i));
		b = _mm256_add_epi64(b, LOAD_256(counts + i + 4));
		c = _mm256_add_epi64(c, LOAD_256(counts + i + 8));
		d = _mm256_add_epi64(d, LOAD_256(counts + i + 12));
	}
	a = _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d));
	_mm256_storeu_si256((__m256i *)words, a);
	return words[0] + words[1] + words[2] + words[3];
}

__attribute__((target("avx512f"), no_sanitize("thread")))
static inline uint64_t block_avx512(const uint64_t *counts)
{
	__m512i a = LOAD_512(counts), b = LOAD_512(counts + 8);
	__m512i c = LOAD_512(counts + 16), d = LOAD_512(counts + 24);

	a = _mm512_add_epi64(a, LOAD_512(counts + 32));
	b = _mm512_add_epi64(b, LOAD_512(counts + 40));
	c = _mm512_add_epi64(c, LOAD_512(counts + 48));
	d = _mm512_add_epi64(d, LOAD_512(counts + 56));
	a = _mm512_add_epi64(_mm512_add_epi64(a, b), _mm512_add_epi64(c, d));
	return (uint64_t)_mm512_reduce_add_epi64(a);
}

DEFINE_BODY(avx2, "avx2")
DEFINE_BODY(avx512, "avx512f")
#endif

const struct hft_body hft_bodies[] = {
#ifdef __x86_64__
	{ "avx512", 1ULL << HFT_FEATURE_AVX512, find_avx512, sum_avx512 },
	{ "avx2", 1ULL << HFT_FEATURE_AVX2, find_avx2, sum_avx2 },
#endif
	{ "generic", 0, find_generic, sum_generic },
};

const unsigned int hft_nr_bodies = sizeof(hft_bodies) / sizeof(hft_bodies[0]);

const struct hft_body *hft_body_choose(uint64_t flags)
{
	const struct hft_body *body = hft_bodies;

	while ((flags & body->needs) != body->needs)
		body++;
	return body;
}

/* Whoever is first; two who are choose the same. */
const struct hft_body *hft_body(void)
{
	static _Atomic(const struct hft_body *) chosen;
	const struct hft_body *body = atomic_load_explicit(&chosen, memory_order_relaxed);

	if (__builtin_expect(!body, 0)) {
		body = hft_body_choose(hft_cpu_flags());
		atomic_store_explicit(&chosen, body, memory_order_relaxed);
	}
	return body;
}
