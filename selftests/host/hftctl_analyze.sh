#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# hftctl analyze: its answers, and one line that names file, line and reason for what is no
# list of tasks.
cd "$(dirname "$0")" || exit 1
. ../include/tap.sh
TOP=$(realpath ../..)
TOOL=${BUILD:-$TOP/build}/tools/hftctl
MOST=9223372036854775807
RANDOM_FILES=200

# answers NAME EXPECTED TASKS ARGUMENT...: EXPECTED is what jansson prints, without blanks
answers() {
	local name=$1 expected=$2 tasks=$3

	shift 3
	printf -- "$tasks" | "$TOOL" analyze "$@" - 2>&1 | tr -d ' \n' >"$out"
	[[ $(<"$out") == *"$expected"* ]]
	result $? "$name"
}

# refuses NAME REASON TASKS: it fails, and its line is file:line: reason
refuses() {
	printf -- "$3" >"$dir/tasks"
	fails 1 "$1" "$TOOL" analyze --policy edf "$dir/tasks"
	prints "^hftctl: $dir/tasks:$2" "$1: the line and the reason"
}

# random_files: none may crash it, or leave it without an answer
random_files() {
	local i status

	for ((i = 0; i < RANDOM_FILES; i++)); do
		head -c $((i * 7 + 1)) /dev/urandom >"$dir/tasks"
		((i % 2 == 0)) || tr -dc '0-9,\n#' </dev/urandom 2>/dev/null |
			head -c $((i * 7 + 1)) >"$dir/tasks"
		status=0
		timeout 20 "$TOOL" analyze --policy edf --max-steps 100000 --breakdown \
			"$dir/tasks" >/dev/null 2>"$out" || status=$?
		[ $status != 0 ] || continue
		[ $status = 1 ] && [ "$(wc -l <"$out")" = 1 ] || return 1
	done
}

[ -x "$TOOL" ] || skip_all "hftctl is not built"

set1='# C,T,D\n1,4,4\n1, 5 ,5\r\n\n3,9,9 # third\n3,18,18'
answers "fixed priorities" '"schedulable":true' "$set1" --policy fp
answers "response times" '"response_ns":[1,2,7,18]' "$set1" --policy fp
answers "utilisation" '"utilisation":0.95,' "$set1" --policy fp
answers "nothing missed" '"first_missed":null' "$set1" --policy fp
answers "breakdown" '"breakdown":{"scale":1.0,"utilisation":0.95,"exact":true}' "$set1" \
	--policy fp --breakdown
answers "EDF's breakdown" '"utilisation":1.0,"exact":true}' "$set1" --policy edf --breakdown
answers "RM sorts" '"response_ns":[18,7,2,1]' '3,18,18\n3,9,9\n1,5,5\n1,4,4\n' --policy rm
answers "FP does not" '"first_missed":{"task":3,"line":4,"deadline_ns":4}' \
	'3,18,18\n3,9,9\n1,5,5\n1,4,4\n' --policy fp
answers "DM goes by the deadline" '"schedulable":true' '5,10,10\n1,100,2\n' --policy dm
answers "RM does not" '"schedulable":false' '5,10,10\n1,100,2\n' --policy rm
answers "EDF's responses" '"response_ns":[7,2]' '3,12,12\n2,4,4\n' --policy edf
answers "overload" '"response_ns":[null,null],"first_missed":{"task":1,"line":3,"deadline_ns":6}' \
	'#\n2,3,3\n1,2,2\n' --policy edf
answers "the largest numbers" '"schedulable":true' "$MOST,$MOST,$MOST\n" --policy edf --breakdown
answers "an early deadline of them" '"deadline_ns":1}' "$MOST,$MOST,1\n" --policy edf

refuses "no number" '2: the wcet \(1st\) is not a number' '1,2,3\nx,2,3\n'
refuses "an empty field" '1: the period \(2nd\) is not a number' '1,,3\n'
refuses "a negative number" '1: the wcet' '-1,2,3\n'
refuses "a sign" '1: the wcet' '+1,2,3\n'
refuses "zero" '1: the wcet' '0,2,3\n'
refuses "no deadline" '1: nothing after the period' '1,2\n'
refuses "an empty deadline" '1: the deadline' '1,2,\n'
refuses "a fourth field" '1: unexpected text after the deadline' '1,2,3,4\n'
refuses "hexadecimal" '1: the wcet' '0x10,20,20\n'
refuses "a fraction" '1: unexpected text' '1.5,2,3\n'
refuses "another separator" '1: unexpected text' '1;2;3\n'
refuses "2^63" '1: the deadline' "1,2,9223372036854775808\n"
refuses "more than 64 bits" '1: the deadline' "1,2,99999999999999999999999\n"
refuses "a NUL byte" '2: a NUL byte' '1,2,3\n1,2,3\0\n'
refuses "a long line" '1: more than 4095 characters' "$(printf '%5000s' '')1,2,3\n"
refuses "4097 tasks" '4097: more tasks' "$(yes 1,100000,100000 | head -n 4097)\n"
refuses "an empty file" ' there are no tasks' ''
refuses "only comments" ' there are no tasks' '# 1,2,3\n\n'

printf '1,2,3\n1,3,3\n' >"$dir/tasks"
fails 1 "no file" "$TOOL" analyze --policy edf "$dir/none"
fails 1 "a folder" "$TOOL" analyze --policy edf "$dir"
fails 1 "a file without an end" "$TOOL" analyze --policy edf /dev/zero
fails 1 "too few steps" "$TOOL" analyze --policy fp --max-steps 1 "$dir/tasks"
fails 1 "a full device" sh -c "'$TOOL' analyze --policy fp '$dir/tasks' >/dev/full"
fails 2 "no policy" "$TOOL" analyze "$dir/tasks"
fails 2 "an unknown policy" "$TOOL" analyze --policy best "$dir/tasks"
fails 2 "no file named" "$TOOL" analyze --policy edf
fails 2 "two files" "$TOOL" analyze --policy edf "$dir/tasks" "$dir/tasks"
fails 2 "--pid" "$TOOL" analyze --policy edf --pid 1 "$dir/tasks"
fails 2 "--policy elsewhere" "$TOOL" query --policy edf
fails 2 "no steps" "$TOOL" analyze --policy edf --max-steps 0 "$dir/tasks"
random_files
result $? "$RANDOM_FILES random files"

finish
