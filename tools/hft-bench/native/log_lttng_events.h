/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tracepoints, as lttng-ust wants them: it includes this file more than once. */
#undef TRACEPOINT_PROVIDER
#define TRACEPOINT_PROVIDER hft_bench

#undef TRACEPOINT_INCLUDE
#define TRACEPOINT_INCLUDE "./log_lttng_events.h"

#if !defined(HFT_BENCH_LOG_LTTNG_EVENTS_H) || defined(TRACEPOINT_HEADER_MULTI_READ)
#define HFT_BENCH_LOG_LTTNG_EVENTS_H

#include <stdint.h>
#include <lttng/tracepoint.h>

TRACEPOINT_EVENT(hft_bench, numbers,
	TP_ARGS(uint64_t, number, uint32_t, quantity, double, price),
	TP_FIELDS(ctf_integer(uint64_t, number, number)
		  ctf_integer(uint32_t, quantity, quantity)
		  ctf_float(double, price, price)))

TRACEPOINT_EVENT(hft_bench, text,
	TP_ARGS(const char *, text),
	TP_FIELDS(ctf_string(text, text)))

#endif

#include <lttng/tracepoint-event.h>
