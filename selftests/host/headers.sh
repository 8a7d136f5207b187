#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The library's headers compile as C and as C++, each alone, and all in one program.
cd "$(dirname "$0")/../.." || exit 1
. selftests/include/tap.sh

# compiles NAME COMPILER...: what comes from standard input
compiles() {
	check "$@" -Wall -Wextra -Werror -Iuapi -Ilibhft/include -fsyntax-only -
}

# both NAME TEXT
both() {
	compiles "$1, as C" gcc -x c -std=gnu11 <<<"$2"
	if command -v g++ >/dev/null; then
		compiles "$1, as C++" g++ -x c++ -std=c++17 <<<"$2"
	else
		skip "no C++ compiler: $1"
	fi
}

all=$(cd libhft/include && ls hft/*.h)
for header in $all; do
	both "$header alone" "#include <$header>"
done
both "all of them" "$(sed 's/.*/#include <&>/' <<<"$all")"
both "all of them, the last first" "$(tac <<<"$all" | sed 's/.*/#include <&>/')"
both "a bit-field and any pointer are logged by a cast" '#define HFT_LOG_SUBSYSTEM "headers"
#include <hft/log.h>
struct header { unsigned int flags : 5; unsigned long long id : 40; };
int see(const struct header *header, int *place);
int see(const struct header *header, int *place)
{
	return hft_log(HFT_LOG_INFO, "%u %llu %p", (unsigned int)header->flags,
		       (unsigned long long)header->id, (void *)place);
}'
finish
