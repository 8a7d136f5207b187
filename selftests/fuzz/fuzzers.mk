# SPDX-License-Identifier: GPL-2.0-only
# The fuzzers, each NAME.c, and what of the tools they take.
FUZZERS := log_stream log_sites log_index log_packed log_seal log_repair log_recover \
	log_where log_key log_report log_kernel record feed stg detect
FUZZ_TOOLS_log_report := $(addprefix hft-log/report_,firm.c value.c cat_fields.c cat_fill.c text.c event.c index.c) \
	common/tool.c
FUZZ_TOOLS_log_kernel := hft-log/kernel_event.c common/tool.c
FUZZ_TOOLS_stg := hftctl/stg.c common/tool.c
FUZZ_TOOLS_detect := hftctl/detect.c common/tool.c
