#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# hftctl graph: the graphs of the Standard Task Graph Set, whose critical paths and best
# schedules are published (with HFT_TEST_DATA), and files that are none.
cd "$(dirname "$0")" || exit 1
. ../include/tap.sh
TOP=$(realpath ../..)
TOOL=${BUILD:-$TOP/build}/tools/hftctl
RANDOM_FILES=100

# What list scheduling by rank, and a run of the executor, may be above the best on average,
# on 2, 4, 8 and 16 workers
MOST_ABOVE="2:0.73 4:1.16 8:1.25 16:0.05"

# refuses NAME REASON TEXT: it fails, and its line is file:line: reason
refuses() {
	printf -- "$3" >"$dir/graph"
	fails 1 "$1" "$TOOL" graph analyze "$dir/graph"
	prints "^hftctl: $dir/graph:$2" "$1: the line and the reason"
}

random_files() {
	local i status

	for ((i = 0; i < RANDOM_FILES; i++)); do
		head -c $((i * 5 + 1)) /dev/urandom >"$dir/graph"
		((i % 2 == 0)) || tr -dc '0-9 \n#' </dev/urandom 2>/dev/null |
			head -c $((i * 7 + 1)) >"$dir/graph"
		status=0
		timeout 20 "$TOOL" graph analyze "$dir/graph" >/dev/null 2>"$out" || status=$?
		[ $status != 0 ] || continue
		[ $status = 1 ] && [ "$(wc -l <"$out")" = 1 ] || return 1
	done
}

# published: each graph of the set beside what is known of it, a line a graph: its length,
# that and the best schedules that are published, and of each number of workers
# workers:list:run
published() {
	local file cp best

	grep -v '^#' "$HFT_TEST_DATA/dag/stg50_expected.csv" | tail -n +2 |
		while IFS=, read -r _ file _ _ _ cp _ best; do
			"$TOOL" graph analyze --run "$dir/50/$file" >"$dir/text" || return 1
			awk -v file="$file" -v cp="$cp" -v best="$best" '
				$1 == "length_ns" { length_ns = $2 }
				$1 == "workers" { table = 1; next }
				table { makespan = makespan " " $1 ":" $2 ":" $6 }
				END { print file, length_ns, cp, best makespan }' "$dir/text"
		done
}

# gaps WHICH: of published's lines, per cent above the best on average, of 2, the list, or
# 3, the run; fails below the best
gaps() {
	awk -v most="$MOST_ABOVE" -v which="$1" '
		{ split($4, best, ",")
		  for (i = 5; i <= NF; i++) {
			split($i, m, ":")
			b = best[i - 4]
			if (b == "") continue
			t = m[which]
			if (t < b) { print $1 " on " m[1] ": " t " < " b; bad = 1 }
			sum[m[1]] += t / b - 1; nr[m[1]]++ } }
		END { n = split(most, limits, " ")
		  for (i = 1; i <= n; i++) {
			split(limits[i], l, ":")
			gap = nr[l[1]] ? 100 * sum[l[1]] / nr[l[1]] : 100
			printf "# %d workers: %.3f %% above the best (%s)\n", l[1], gap, l[2]
			if (gap > l[2] + 0) bad = 1 }
		  exit bad }'
}

# gain: the order by the critical path against that of submission, with costs that drift by
# a factor of five: where a bound allows a gain of 20 %, it is that on average
gain() {
	"$TOOL" graph compare --ticks 50 "$dir"/50/*.stg >"$dir/table" || return 1
	tail -n 1 "$dir/table" | sed 's/^/# /'
	tail -n 1 "$dir/table" | awk '{ exit !($NF == "%" && $(NF - 1) >= 20) }'
}

# repeats: the same seed prints the same table, another another
repeats() {
	"$TOOL" graph compare --ticks 20 --seed 3 "$@" >"$dir/1" &&
		"$TOOL" graph compare --ticks 20 --seed 3 "$@" >"$dir/2" &&
		"$TOOL" graph compare --ticks 20 --seed 4 "$@" >"$dir/3" &&
		cmp "$dir/1" "$dir/2" && ! cmp -s "$dir/1" "$dir/3"
}

[ -x "$TOOL" ] || skip_all "hftctl is not built"

graph='2 # tasks\n0 0 0\n1 5 1 0\n2 3 1 0\n3 0 2 1 2\n'
printf "$graph" | "$TOOL" graph analyze - >"$out"
[ "$(awk '$1 == "length_ns" { print $2 }' "$out")" = 5 ]
result $? "the length of the critical path"
grep -qx 'path       0 1 3' "$out"
result $? "the critical path"
grep -Eqx ' +2 +3 +3 +0 +2' "$out"
result $? "a node with slack"
printf "$graph" | "$TOOL" graph analyze --json - | tr -d ' \n' >"$out"
grep -q '"schedule":\[{"workers":2,"rank_ns":5,"submission_ns":5,"heft_ns":5,"bound_ns":5}' "$out"
result $? "JSON"
printf "$graph" | "$TOOL" graph analyze --workers 1 --gantt "$dir/gantt.png" - >"$out" 2>&1 &&
	[ "$(head -c 4 "$dir/gantt.png" | tail -c 3)" = PNG ]
result $? "a picture of the schedule"

refuses "an empty file" "0: an empty file" ''
refuses "no number" "1: how many tasks there are is no number" 'x\n'
refuses "too few tasks" "3: the file ends" '2\n0 0 0\n1 5 1 0\n'
refuses "too many tasks" "4: more tasks than it says" '0\n0 0 0\n1 5 1 0\n2 3 0\n'
refuses "tasks out of order" "2: tasks are numbered" '0\n1 0 0\n0 5 1 0\n'
refuses "too few numbers" "3: what it comes after is no number" '0\n0 0 0\n1 5 2 0\n'
refuses "too many numbers" "3: more numbers than it says" '0\n0 0 0\n1 5 1 0 0\n'
refuses "a task that is not there" "3: what it comes after is no number from 0 to 1" \
	'0\n0 0 0\n1 5 1 2\n'
refuses "after itself" "3: an edge from node 1 to itself" '0\n0 0 0\n1 5 1 1\n'
refuses "a cost beyond measure" "3: the time .2nd. is no number" '0\n0 0 0\n1 1099511627777 0\n'
refuses "a circle" " the edges lead round: 0 <- 1 <- 0" '0\n0 0 1 1\n1 5 1 0\n'
refuses "an edge twice" " the edge from node 0 to 1 is there twice" '0\n0 0 0\n1 5 2 0 0\n'
fails 1 "no file" "$TOOL" graph analyze "$dir/none"
fails 2 "no command" "$TOOL" graph
fails 2 "no operand" "$TOOL" graph analyze
fails 2 "no workers" "$TOOL" graph analyze --workers 0 "$dir/graph"
fails 2 "a picture of how many?" "$TOOL" graph analyze --gantt x.png "$dir/graph"
fails 2 "too many workers to run on" "$TOOL" graph analyze --run --workers 257 "$dir/graph"
fails 2 "nothing to compare" "$TOOL" graph compare
fails 2 "no ticks" "$TOOL" graph compare --ticks 0 "$dir/graph"
fails 2 "no drift" "$TOOL" graph compare --drift 0.5 "$dir/graph"
fails 2 "an option of the other command" "$TOOL" graph compare --run "$dir/graph"
fails 2 "and the other way round" "$TOOL" graph analyze --ticks 2 "$dir/graph"
"$TOOL" graph --help | grep -q '^Usage: hftctl graph analyze'
result $? "--help"
printf "$graph" >"$dir/graph"
"$TOOL" graph compare --workers 2 --ticks 3 --rounds 2 --json "$dir/graph" | tr -d ' \n' >"$out"
grep -q '"row":\[{"graph":"graph","workers":2,"seed":1,.*"seed":2,.*"rows":2,' "$out"
result $? "JSON of a comparison"
repeats "$dir/graph"
result $? "a comparison repeats"
"$TOOL" graph analyze --run --workers 2 "$dir/graph" >"$out"
grep -Eqx ' +2 +5 +5 +5 +5 +5' "$out"
result $? "a run of the executor"
random_files
result $? "random files"

if [ -r "${HFT_TEST_DATA:-}/dag/stg50.tar.gz" ]; then
	tar -xzf "$HFT_TEST_DATA/dag/stg50.tar.gz" -C "$dir"
	published >"$dir/published"
	[ "$(wc -l <"$dir/published")" = 180 ]
	result $? "180 graphs are read"
	! awk '$2 != $3' "$dir/published" | grep .
	result $? "their critical paths are those that are published"
	gaps 2 <"$dir/published"
	result $? "schedules by rank are near the best and never below it"
	gaps 3 <"$dir/published"
	result $? "and so are runs of the executor"
	gain
	result $? "the order by the critical path gains 20 % where a bound allows it"
	repeats "$dir"/50/rand000*.stg
	result $? "and that of graphs of the set repeats"
else
	skip "HFT_TEST_DATA has no dag/stg50.tar.gz"
fi
finish
