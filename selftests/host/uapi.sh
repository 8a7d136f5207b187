#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# uapi/linux/hft.h compiles alone, as C and as C++, and has the same layout for 32 bit.
cd "$(dirname "$0")/.." || exit 1
FLAGS=(-I../uapi -Wall -Wextra -pedantic -Werror -fsyntax-only)
number=0 failed=0

# check NAME COMPILER...: whether it takes its input
check() {
	local name=$1 word=

	shift
	number=$((number + 1))
	if ! "$@" "${FLAGS[@]}" -; then
		word="not "
		failed=1
	fi
	echo "${word}ok $number $name"
}

# check_if COMPILER NAME ARG...: the same, or a skip where there is no such compiler
check_if() {
	if echo | "$1" "${@:3}" -fsyntax-only - 2>/dev/null; then
		check "$2" "$1" "${@:3}"
	else
		number=$((number + 1))
		echo "ok $number # SKIP no compiler for: $2"
	fi
}

# The kernel's own headers are the same for both sizes.
M32=(-m32 "-I/usr/include/$(gcc -print-multiarch)")

echo "TAP version 13"
for standard in c99 gnu11 c2x; do
	check "alone as $standard" gcc -x c -std=$standard <<<'#include <linux/hft.h>'
done
for standard in c++11 c++17 c++20; do
	check_if g++ "alone as $standard" -x c++ -std=$standard <<<'#include <linux/hft.h>'
done
check "layout in C" gcc -x c -std=c11 <<<'#include "abi/layout.h"'
check_if g++ "layout in C++" -x c++ -std=c++17 <<<'#include "abi/layout.h"'
check_if gcc "layout in 32-bit C" "${M32[@]}" -x c -std=c11 <<<'#include "abi/layout.h"'
echo "1..$number"
exit $failed
