// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reasons as text. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

static void __attribute__((format(printf, 2, 3))) say(struct hft_placed *placed,
						      const char *format, ...)
{
	size_t length = strlen(placed->why);
	va_list args;

	va_start(args, format);
	vsnprintf(placed->why + length, sizeof(placed->why) - length, format, args);
	va_end(args);
}

static const char *const texts[HFT_PLACE_REASONS] = {
	[HFT_PLACED_LISTED] = "listed",
	[HFT_PLACED_ISOLATED] = "isolated",
	[HFT_PLACED_NOHZ_FULL] = "nohz_full",
	[HFT_PLACED_SPREAD] = "farthest from the others",
	[HFT_PLACED_PACKED] = "nearest to the others",
	[HFT_PLACED_NEAR] = "near the device",
	[HFT_PLACED_REMAINING] = "no isolated CPU is left",
	[HFT_PLACE_SPARE] = "free: no worker was left to place",
	[HFT_PLACE_OFFLINE] = "offline",
	[HFT_PLACE_OUTSIDE] = "outside the CPUs that the caller may use",
	[HFT_PLACE_EXCLUDED] = "excluded by the caller",
	[HFT_PLACE_HOUSEKEEPER] = "does the housekeeping, which is excluded",
	[HFT_PLACE_SIBLING] = "a sibling of a worker's CPU, which is excluded",
};

static void say_domains(struct hft_placed *placed, const struct hft_cpu_info *cpu)
{
	if (cpu->node != HFT_NONE)
		say(placed, ", node %u", cpu->node);
	if (cpu->l3 != HFT_NONE)
		say(placed, ", L3 %u", cpu->l3);
}

static void say_drawbacks(struct hft_placed *placed, const struct hft_cpu_info *cpu)
{
	if (placed->flags & HFT_PLACED_SHARES_CPU)
		say(placed, "; shares the CPU");
	else if (placed->flags & HFT_PLACED_SHARES_CORE)
		say(placed, "; shares core %u", cpu->core);
	if (placed->flags & HFT_PLACED_HOUSEKEEPING)
		say(placed, "; does the housekeeping");
	if (placed->flags & HFT_PLACED_NOISY_SIBLING)
		say(placed, "; its sibling does");
}

/* Fill in the text; the rest is there. */
void hft_place_explain(struct hft_placed *placed, const struct hft_cpu_info *cpu,
		       const struct hft_place_opts *opts)
{
	placed->why[0] = '\0';
	if (placed->reason == HFT_PLACED_REMAINING && opts->device)
		say(placed, "no CPU near %.24s is left", opts->device);
	else
		say(placed, "%s", texts[placed->reason]);
	if (placed->reason == HFT_PLACED_NEAR)
		say(placed, " %.24s", opts->device);
	if (placed->reason == HFT_PLACED_ISOLATED && cpu->flags & HFT_CPU_NOHZ_FULL)
		say(placed, ", nohz_full");
	if (placed->reason >= HFT_PLACE_SPARE)
		return;
	say_domains(placed, cpu);
	say_drawbacks(placed, cpu);
}
