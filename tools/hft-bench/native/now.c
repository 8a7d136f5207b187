// SPDX-License-Identifier: LGPL-2.1-or-later
/* Time hft_now() beside clock_gettime(), in turns, and print the ratio of the medians. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <hft/hft.h>

#include "quantile.h"

#define ROUNDS		2001
#define CALLS		1000	/* of a round: short enough that most are not interrupted */
#define CALIBRATION_NS	100000000

static uint64_t kernel_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Their sum is stored, so that no call is left out. */
static volatile uint64_t sink;

static double time_hft(void)
{
	uint64_t start = kernel_now(), sum = 0;
	int i;

	for (i = 0; i < CALLS; i++)
		sum += hft_now();
	sink = sum;
	return (double)(kernel_now() - start) / CALLS;
}

static double time_kernel(void)
{
	uint64_t start = kernel_now(), sum = 0;
	struct timespec ts;
	int i;

	for (i = 0; i < CALLS; i++) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		sum += (uint64_t)ts.tv_nsec;
	}
	sink = sum;
	return (double)(kernel_now() - start) / CALLS;
}

int main(void)
{
	static double hft[ROUNDS], kernel[ROUNDS];
	uint64_t end = kernel_now() + CALIBRATION_NS;
	double hft_ns, kernel_ns;
	int i;

	/* Without a device the clock calibrates itself by the kernel's as it is used. */
	while (hft_now() < end)
		;
	if (!hft_clock_is_tsc()) {
		fprintf(stderr, "now: this machine's clocksource is not the TSC\n");
		return 1;
	}
	for (i = 0; i < ROUNDS; i++) {
		hft[i] = time_hft();
		kernel[i] = time_kernel();
	}
	hft_ns = median(hft, ROUNDS);
	kernel_ns = median(kernel, ROUNDS);
	printf("figure now_ratio %.3f\n", hft_ns / kernel_ns);
	printf("peer now_ratio %.1f clock_gettime\n", kernel_ns);
	printf("note now: hft_now() %.1f ns, clock_gettime() %.1f ns\n", hft_ns, kernel_ns);
	return 0;
}
