#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# hft-log report: of logs that are written as hft/log_format.h has it.
cd "$(dirname "$0")" || exit 1
TOP=$(realpath ../..)
TOOL=${BUILD:-$TOP/build}/tools/hft-log

[ -x "$TOOL" ] || { echo "1..0 # SKIP hft-log is not built"; exit 4; }
exec python3 log_report/run.py "$TOOL"
