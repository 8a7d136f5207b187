# SPDX-License-Identifier: GPL-2.0-only
# The fuzzers, each NAME.c, and what of the tools they take.
FUZZERS := log_stream log_sites log_index log_packed log_seal log_repair log_recover \
	log_where record feed stg detect
FUZZ_TOOLS_stg := hftctl/stg.c common/tool.c
FUZZ_TOOLS_detect := hftctl/detect.c common/tool.c
