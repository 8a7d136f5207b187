#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# hft-log cat, follow, stat, diff and merge: what they print, and how they exit.
cd "$(dirname "$0")" || exit 1
. ../include/tap.sh
TOP=$(realpath ../..)
TOOL=${BUILD:-$TOP/build}/tools/hft-log

[ -x "$TOOL" ] || skip_all "hft-log is not built"
export PYTHONDONTWRITEBYTECODE=1
log=$dir/log stream=$dir/log/chunk-00000001/stream-1

# counts NAME LINES OPTION...: hft-log cat prints so many lines
counts() {
	local name=$1 lines=$2

	shift 2
	"$TOOL" cat "$@" "$log" >"$out" 2>&1
	[ $? = 0 ] && [ "$(wc -l <"$out")" = "$lines" ]
	result $? "cat: $name: $lines"
}

# same NAME EXPECTED: the first lines that were printed
same() {
	[ "$(head -n "$(wc -l <<<"$2")" "$out")" = "$2" ]
	result $? "$1"
}

python3 log_tool/make.py "$log" && python3 log_tool/make.py "$dir/other" other
result $? "two logs"

counts "all" 40
same "cat: text" "2023-11-14T22:13:20.000000000Z WARN   feed orders[101] late by 0 ns, price=0.00
2023-11-14T22:13:20.000001000Z NOTICE trade orders[101] order task=1 class=1 symbol=XY quantity=100"
counts "levels" 10 --level warn
counts "subsystems" 30 --subsystem "x,tr*"
counts "classes" 20 --class 1,2
counts "tasks" 2 --task 1,2,4,77
counts "symbols" 20 --symbol XY
counts "lists with blanks" 30 --symbol " ABC , XY" --subsystem "x, trade "
fails 2 "cat: two formats" "$TOOL" cat --json --csv "$log"
fails 2 "cat: fields that no column is of" "$TOOL" cat --json --fields price "$log"
fails 2 "cat: no time at all" "$TOOL" cat --from 2023-11-15 --to 2023-11-14 "$log"
counts "times" 5 --from 2023-11-14T22:13:20.000010Z --to 1700000000000015000
counts "an expression" 4 --where 'quantity >= 3500 && symbol == "XY" || price == 9'
counts "monotonic times" 40 --monotonic
same "cat: seconds" "0.000000000 WARN   feed orders[101] late by 0 ns, price=0.00"
counts "the host" 40 --host
prints "feed box engine\[12\] orders\[101\] late" "cat: the host and the process"
counts "JSON" 40 --json
python3 -c 'import json, sys
rows = [json.loads(line) for line in sys.stdin]
assert rows[1]["fields"] == {"task": 1, "class": 1, "symbol": "XY", "quantity": 100}
assert rows[4]["message"] == "late by -4 ns, price=1.00" and rows[4]["time_ns"] % 10**9 == 4000
' <"$out"
result $? "cat: JSON is JSON"
counts "CSV" 41 --csv --fields "quantity, price"
python3 -c 'import csv, sys
rows = list(csv.DictReader(sys.stdin))
assert len(rows) == 40 and rows[7]["quantity"] == "700" and rows[7]["price"] == ""
assert rows[8]["message"] == "late by -8 ns, price=2.00" and rows[8]["price"] == "2"
' <"$out"
result $? "cat: CSV is CSV"
status 0 "cat: a chunk" "$TOOL" cat "$log/chunk-00000001"
status 0 "cat: a stream" "$TOOL" cat "$stream"
status 0 "cat: two logs" "$TOOL" cat "$log" "$dir/other"
[ "$(wc -l <"$out")" = 70 ]
result $? "cat: two logs are merged"

# Texts may have anything in them; what reads the output has to take it all the same.
python3 log_tool/make.py "$dir/hostile" hostile
"$TOOL" cat "$dir/hostile" | python3 -c 'import sys
lines = sys.stdin.buffer.read().decode().splitlines()
assert len(lines) == 40 and all(c.isprintable() for line in lines for c in line)
assert r"symbol=\x1b[2J\x9b\x9b\xff" in lines[2] and "\u00e9" in lines[2]
'
result $? "cat: text has nothing that a terminal obeys"
"$TOOL" cat --json "$dir/hostile" | python3 -c 'import json, sys
def refuse(word):
	raise ValueError(word)
rows = [json.loads(line, parse_constant=refuse) for line in sys.stdin.buffer.read().splitlines()]
prices = [row["fields"]["price"] for row in rows if "price" in row["fields"]]
assert prices == [None, None, None, 0, 5e-324, 1e308, -1e9, 0.1, 2.0 ** 53, 123456789.5]
symbol = rows[2]["fields"]["symbol"]
assert symbol == "\x1b[2J\ufffd\x9b\ufffd\"\\,\r\n\t\x7f\u00e9\ufffd\ufffd\ufffd\ufffd"
'
result $? "cat: hostile JSON is JSON"
"$TOOL" cat --csv --fields symbol,price "$dir/hostile" | python3 -c 'import csv, io, sys
rows = list(csv.DictReader(io.StringIO(sys.stdin.buffer.read().decode(), newline="")))
assert len(rows) == 40 and rows[3]["symbol"] == r"\x07=1+1"
assert rows[2]["symbol"] == "\\x1b[2J\\x9b\\x9b\\xff\"\\,\r\n\t\\x7f\u00e9\\xed\\xa0\\x80\\xc3"
assert [float(row["price"]) for row in rows if row["price"]][3:] == [
	0, 5e-324, 1e308, -1e9, 0.1, 2.0 ** 53, 123456789.5]
'
result $? "cat: hostile CSV is CSV"
"$TOOL" export --perfetto --output - "$dir/hostile" | python3 -c 'import json, sys
def refuse(word):
	raise ValueError(word)
trace = json.loads(sys.stdin.buffer.read(), parse_constant=refuse)
assert len([e for e in trace["traceEvents"] if e["ph"] == "i"]) == 40
'
result $? "export: hostile JSON is JSON"
echo old >"$dir/trace.json"
(
	trap '' XFSZ
	ulimit -f 1
	"$TOOL" export --perfetto --output "$dir/trace.json" "$log" >"$out" 2>&1
)
[ $? = 2 ] && [ "$(cat "$dir/trace.json")" = old ] && [ -z "$(ls "$dir" | grep part)" ]
result $? "export: a file that can not be written in whole is not there"
prints "write .*trace.json: File too large" "export: why not"
status 0 "export: to a file that is there" "$TOOL" export --perfetto -o "$dir/trace.json" "$log"
python3 -m json.tool "$dir/trace.json" >"$out" 2>&1
result $? "export: the file is another"

# alike OPTION...: one thread and more of them print the same, and tell the same
alike() {
	local threads

	"$TOOL" cat --threads 1 "$@" >"$dir/one" 2>"$dir/told"
	for threads in 2 4; do
		"$TOOL" cat --threads $threads "$@" >"$dir/more" 2>"$out"
		cmp "$dir/one" "$dir/more" && cmp "$dir/told" "$out" || return
	done
}

python3 log_tool/make.py "$dir/many" many
printf 'xxxxxxxx' | dd of="$dir/many/chunk-00000001/stream-1" bs=1 seek=2048000 conv=notrunc \
	2>/dev/null
alike "$dir/many" && [ "$(wc -l <"$dir/one")" = 9990 ] && grep -q "packet 500: no packet" "$out"
result $? "cat: threads: all but a packet"
alike --json --where 'quantity > 500000' "$log" "$dir/many" "$dir/other" "$dir/hostile" &&
	[ "$(wc -l <"$dir/one")" -gt 3000 ]
result $? "cat: threads: what was asked for of many logs"
alike --csv --fields price,symbol "$dir/hostile" "$dir/many"
result $? "cat: threads: CSV"
for threads in 1 2; do
	status 2 "cat: a full disk, threads $threads" \
		bash -c '"$@" >/dev/full' - "$TOOL" cat --threads $threads "$dir/many"
	prints "^hft-log: output: No space" "cat: and what it says"
	"$TOOL" cat --threads $threads "$dir/many" 2>"$out" | head -n 1 >"$dir/one"
	[ "${PIPESTATUS[0]}" = 141 ] && [ "$(wc -l <"$dir/one")" = 1 ]
	result $? "cat: nobody reads on, threads $threads"
done
for threads in 0 65 two; do
	fails 2 "cat: threads $threads" "$TOOL" cat --threads $threads "$log"
done

fails 2 "cat: no log" "$TOOL" cat
fails 2 "cat: nothing there" "$TOOL" cat "$dir/nothing"
fails 2 "cat: no chunk" "$TOOL" cat "$dir"
status 2 "cat: no such option" "$TOOL" cat --nonsense "$log"
fails 2 "cat: a level that is none" "$TOOL" cat --level loud "$log"
fails 2 "cat: a time that is none" "$TOOL" cat --from yesterday "$log"
fails 2 "cat: a class that is none" "$TOOL" cat --class 64 "$log"
status 2 "cat: half an expression" "$TOOL" cat --where "price >" "$log"
prints "at 8: the expression ends too early" "cat: and where it ends"
fails 2 "no such command" "$TOOL" nonsense
for command in cat follow stat merge diff; do
	status 0 "$command --help" "$TOOL" "$command" --help
done

status 0 "stat: a part" "$TOOL" stat --to 1700000000000005000 "$log"
prints "^5 records, .* 15 lost" "stat: losses are of all of the stream"
status 0 "stat" "$TOOL" stat "$log"
prints "40 records, .* 15 lost" "stat: records and losses"
"$TOOL" stat --json "$log" | python3 -c 'import json, sys
stat = json.load(sys.stdin)
assert stat["records"] == 40 and stat["lost"] == 15 and stat["levels"]["warn"] == 10
assert stat["gaps"]["count"] == 39 and stat["gaps"]["min_ns"] == stat["gaps"]["max_ns"] == 1000
assert [s["records"] for s in stat["sites"]] == [10, 30] or \
       [s["records"] for s in stat["sites"]] == [30, 10]
assert stat["streams"][0]["thread"] == "orders" and stat["streams"][0]["lost"] == 15
assert abs(stat["records_per_s"] - 1e6) < 1
'
result $? "stat: JSON"

status 0 "stat: of a field" "$TOOL" stat --field quantity "$log"
prints "^ +quantity: min 10[01], p50 19.., p99 39.., p99.9 39.., max 39..$" "stat: of a field: percentiles"
"$TOOL" stat --field price --json "$log" | python3 -c 'import json, sys
sites = json.load(sys.stdin)["sites"]
values = [site["values"] for site in sites if "values" in site]
assert len(values) == 1 and values[0]["count"] == 10 and values[0]["max"] == 9
'
result $? "stat: of a field: JSON"

status 0 "diff: the same" "$TOOL" diff "$log" "$log"
status 1 "diff: another" "$TOOL" diff "$log" "$dir/other"
prints "^25 records are the same; then they differ: quantity" "diff: the first divergence"
prints "^< .*task=25 .* quantity=2500" "diff: of one"
prints "^> .*task=25 .* quantity=2501" "diff: of the other"
status 1 "diff: but for a field" "$TOOL" diff --ignore quantity "$log" "$dir/other"
prints "^30 records are the same; then they differ: the end" "diff: the end"
status 0 "diff: of a time" "$TOOL" diff --to 1700000000000025000 "$log" "$dir/other"
status 0 "diff: of some fields" "$TOOL" diff --fields task --to 1700000000000030000 "$log" \
	"$dir/other"
fails 2 "diff: of one log" "$TOOL" diff "$log"

status 0 "merge" "$TOOL" merge --output "$dir/merged" "$log" "$dir/other"
prints "^70 records" "merge: all"
# as_before OPTION...: a merged log is shown as those were that it has the records of
as_before() {
	"$TOOL" cat "$@" "$dir/merged" >"$dir/a" && "$TOOL" cat "$@" "$log" "$dir/other" >"$dir/b" &&
		[ "$(wc -l <"$dir/a")" = 70 ] && cmp "$dir/a" "$dir/b"
}

as_before --host
result $? "merge: the same records of the same threads"
as_before --json
result $? "merge: JSON"
as_before --host --where '@program == "engine" && @pid == 12 && @thread == "orders" && @host == "box"'
result $? "merge: who it was can be asked for"
fails 2 "merge: the same twice" "$TOOL" merge --output "$dir/twice" "$log" "$log"
cp -r "$log" "$dir/copy"
for other in "$dir/copy" "$log/chunk-00000001" "$dir/merged"; do
	status 2 "cat: a log and ${other##*/}" "$TOOL" cat "$log" "$other"
	prints "of stream 1 of the log 000102" "cat: and what they both have"
	! grep -q NOTICE "$out"
	result $? "cat: and no record"
done
(ulimit -f 2 && trap '' XFSZ && exec "$TOOL" merge --output "$dir/full" "$log") >"$out" 2>&1
[ $? = 2 ] && grep -q "File too large" "$out"
result $? "merge: a disk that is full"
[ ! -e "$dir/full" ]
result $? "merge: leaves nothing in its way"
fails 2 "merge: a folder that is there" "$TOOL" merge --output "$dir/merged" "$log"
fails 2 "merge: where to" "$TOOL" merge "$log"

status 0 "follow: what is there, and no more" "$TOOL" follow --all --idle 200 "$log"
[ "$(wc -l <"$out")" = 40 ]
result $? "follow: all"
mkdir "$dir/later"
"$TOOL" follow --all --idle 20000 "$dir/later" >"$dir/followed" &
pid=$!
python3 log_tool/make.py "$dir/made"
mv "$dir/made/chunk-00000001" "$dir/later"
for ((i = 0; i < 200; i++)); do
	[ "$(wc -l <"$dir/followed")" -lt 40 ] || break
	sleep 0.1
done
kill "$pid"
wait "$pid" && [ "$(wc -l <"$dir/followed")" = 40 ]
result $? "follow: a log that has no chunk yet, until SIGTERM"

cp -r "$log" "$dir/cut"
truncate -s -100 "$stream"
status 3 "diff: the same as far as one can be read" "$TOOL" diff "$dir/cut" "$log"
prints "^30 records are the same" "diff: so many"
status 3 "cat: a torn end" "$TOOL" cat "$log"
prints "stream-1: at 12288: packet 3: the last packet was not written in whole" "cat: where it is torn"
: >"$log/chunk-00000001/hft/seal"
status 1 "cat: a sealed chunk that was cut off" "$TOOL" cat "$log"
finish
