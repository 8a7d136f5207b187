#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What the fuzzers began with, and what they found: each input of fuzz/corpus once.
cd "$(dirname "$0")" || exit 1
. ../include/tap.sh
TOP=$(realpath ../..)
FUZZERS=${BUILD:-$TOP/build}/selftests/host/asan/fuzz

[ -x "$FUZZERS/log_stream" ] || skip_all "the fuzzers are not built"

for corpus in "$TOP"/selftests/fuzz/corpus/*/; do
	name=$(basename "$corpus")
	timeout 300 "$FUZZERS/$name" "$corpus" >"$out" 2>&1
	status=$?
	[ $status = 0 ] || tail -n 30 "$out" | sed 's/^/# /'
	result $status "$name: $(tail -n 1 "$out" | tr -cd '[:print:]')"
done
for fuzzer in "$FUZZERS"/*; do
	[ -d "$TOP/selftests/fuzz/corpus/$(basename "$fuzzer")" ]
	result $? "$(basename "$fuzzer") has a corpus"
done
finish
