#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# hft-curve: what it prints, that it repeats, and that the simulated CPU and the analysis agree.
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-$PWD/build}
. selftests/include/tap.sh

agree() {
	"$curve" --simulate --sets 100 "$@" >"$dir/text" || return 1
	cat "$dir/text"
	awk 'NR > 1 { n++; if ($2 != $6 || $3 != $7 || $4 > $2 || $5 > $3) bad = 1 }
	     END { exit bad || n != 11 }' "$dir/text"
}

repeats() {
	"$curve" --sets 50 "$@" >"$dir/1" && "$curve" --sets 50 "$@" >"$dir/2" &&
		cmp "$dir/1" "$dir/2"
}

differs() {
	"$curve" --sets 50 --constrained --seed 1 >"$dir/1" &&
		"$curve" --sets 50 --constrained --seed 2 >"$dir/2" && ! cmp -s "$dir/1" "$dir/2"
}

json() {
	"$curve" --json --simulate --sets 20 --step 0.1 | jq -e '.sets == 20 and
		(.points | length) == 6 and
		all(.points[]; .edf == 1 and .sim_edf == 1 and .fixed == .sim_rm)'
}

plots() {
	"$curve" --sets 5 --plot "$dir/it's.png" && [ "$(head -c 4 "$dir/it's.png" | tail -c 3)" = PNG ]
}

# What a name of a file makes of the script that gnuplot is given
names() {
	mkdir "$dir/bin"
	printf '#!/bin/sh\ncat >"%s"\n' "$dir/script" >"$dir/bin/gnuplot"
	chmod +x "$dir/bin/gnuplot"
	PATH=$dir/bin:$PATH "$curve" --sets 5 --plot "$(printf "x'y\nsystem 'id'\r\033.png")" &&
		grep -qx "set output 'x''y system ''id''  .png'" "$dir/script" &&
		! grep -q '^system' "$dir/script"
}

curve=$BUILD/tools/hft-curve
check "analysis and simulation agree, deadlines are periods" agree
check "analysis and simulation agree, deadlines are earlier" agree --constrained
check "the same seed prints the same" repeats --seed 5
check "another seed prints another" differs
if command -v jq >/dev/null; then
	check "JSON" json
else
	skip "no jq: JSON"
fi
if command -v gnuplot >/dev/null; then
	check "a picture" plots
else
	skip "no gnuplot: a picture"
fi
check "a picture's name is a text, and no command" names
status 0 "--help" "$curve" --help
status 2 "a utilisation above 1" "$curve" --to 1.1
status 2 "too many points" "$curve" --step 0.001
status 2 "no task" "$curve" --tasks 0
status 2 "an operand" "$curve" file
finish
