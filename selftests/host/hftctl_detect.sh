#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# hftctl detect: a verdict for each row, and one line that names file, line and reason for
# what is no row.
cd "$(dirname "$0")" || exit 1
. ../include/tap.sh
TOP=$(realpath ../..)
TOOL=${BUILD:-$TOP/build}/tools/hftctl
RANDOM_FILES=100

# rows NR SCRIPT: so many of about 100, some units apart; SCRIPT is awk and may change t or v
rows() {
	awk -v nr="$1" 'BEGIN {
		srand(7)
		for (i = 1; i <= nr; i++) {
			t += 950 + int(100 * rand())
			v = 90 + 20 * rand()
			'"$2"'
			printf "%d,%.3f\n", t, v
		}
	}'
}

# finds NAME EXPECTED SCRIPT: of 3,000 rows the kinds other than none are those EXPECTED
finds() {
	local found

	found=$(rows 3000 "$3" | "$TOOL" detect - | awk -F, 'NR > 1 && $4 != "none" {
		printf "%s%s", s, $4; s = " " }')
	[ "$found" = "$2" ]
	result $? "$1: ${found:-nothing}"
}

# refuses NAME REASON ROWS
refuses() {
	printf -- "$3" >"$dir/rows"
	status 1 "$1" "$TOOL" detect "$dir/rows"
	prints "hftctl: $dir/rows:$2" "$1: the line and the reason"
}

# random_files: none may crash it
random_files() {
	local i status

	for ((i = 0; i < RANDOM_FILES; i++)); do
		head -c $((i * 7 + 1)) /dev/urandom >"$dir/rows"
		((i % 2 == 0)) || tr -dc '0-9,.:T\n-' </dev/urandom 2>/dev/null |
			head -c $((i * 7 + 1)) >"$dir/rows"
		status=0
		timeout 20 "$TOOL" detect "$dir/rows" >/dev/null 2>&1 || status=$?
		[ $status -le 1 ] || return 1
	done
}

[ -x "$TOOL" ] || skip_all "hftctl is not built"

finds "nothing unusual" "" ""
finds "a spike" "spike" 'if (i == 2000) v *= 5'
finds "three in a row" "spike spike spike" 'if (i >= 2000 && i < 2003) v *= 5'
finds "none while it learns" "" 'if (i == 100) v *= 5'
finds "a shift" "shift" 'if (i >= 2000) v *= 2'
finds "a stall" "stall" 'if (i == 2000) t += 20000'
finds "a burst" "burst" 'if (i >= 2000) t -= 900'

rows 1000 'if (i == 900) v = 1000' >"$dir/rows"
"$TOOL" detect "$dir/rows" >"$dir/all"
[ "$(cut -d, -f1,2 "$dir/all" | tail -n +2)" = "$(<"$dir/rows")" ] &&
	[ "$(head -n 1 "$dir/all")" = timestamp,value,score,kind ]
result $? "each row is there, as it was"
sed -n 901p "$dir/all" | grep -Eq '^[0-9]+,1000.000,3\.[0-9]{3},spike$'
result $? "its score"

{ echo when,what; cat "$dir/rows"; } | "$TOOL" detect - | cmp -s - "$dir/all"
result $? "with a header"
awk -F, '{ printf "2026-11-21T10:%02d:%02d.%03dZ,%s\n", $1 / 60000, $1 / 1000 % 60, $1 % 1000, $2 }' \
	"$dir/rows" | "$TOOL" detect - | cut -d, -f2- | cmp -s - <(cut -d, -f2- "$dir/all")
result $? "with dates"
awk -F, '{ printf "%.6f,%s\r\n", $1 / 1e6, $2 }' "$dir/rows" | "$TOOL" detect - | cut -d, -f2- |
	cmp -s - <(cut -d, -f2- "$dir/all")
result $? "with fractions, and ends of lines as DOS has them"
awk -F, '{ printf "%d,%.9f\n", $1, $2 / 1e6 }' "$dir/rows" |
	"$TOOL" detect --scale 1e9 - | cut -d, -f3- | cmp -s - <(cut -d, -f3- "$dir/all")
result $? "scaled"
: | "$TOOL" detect - | grep -qx timestamp,value,score,kind
result $? "nothing"

refuses "a word" "2: the value is no number from 0 on" '1,2\n2,x\n'
refuses "a negative value" "1: the value is no number from 0 on" '1,-2\n'
refuses "not a number" "2: the value is no number from 0 on" '1,2\n2,nan\n'
refuses "no value" "3: no comma" '1,2\n2,3\n4\n'
refuses "no time" "2: the timestamp is neither" '1,2\nx,3\n'
refuses "back in time" "3: the time is before" '1,2\n3,2\n2,2\n'
refuses "a NUL byte" "2: a NUL byte" '1,2\n2,\0003\n'
fails 1 "no such file" "$TOOL" detect "$dir/none"
fails 2 "no file" "$TOOL" detect
fails 2 "--json" "$TOOL" --json detect "$dir/rows"
fails 2 "--scale 0" "$TOOL" detect --scale 0 "$dir/rows"
fails 2 "--scale of another command" "$TOOL" query --scale 2
random_files
result $? "$RANDOM_FILES random files"
finish
