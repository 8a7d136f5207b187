#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# hft-log verify, repair and clock: of logs that are sealed as Documentation/log_evidence.rst
# has it, by other code than the library's.
cd "$(dirname "$0")" || exit 1
. ../include/tap.sh
TOP=$(realpath ../..)
TOOL=${BUILD:-$TOP/build}/tools/hft-log
LOG=$dir/log

[ -x "$TOOL" ] || skip_all "hft-log is not built"
command -v openssl >/dev/null || skip_all "there is no openssl"

openssl genpkey -algorithm ed25519 -out "$dir/key" 2>/dev/null
openssl pkey -in "$dir/key" -pubout -out "$dir/pub"
openssl genpkey -algorithm ed25519 -out "$dir/other" 2>/dev/null
make_log() {
	rm -rf "$LOG"
	python3 log_verify/sealed.py make "$LOG" "$@"
}

# poke FILE OFFSET: another byte there
poke() {
	printf '\245' | dd of="$LOG/$1" bs=1 seek="$2" conv=notrunc status=none
}

make_log
check "a log that is whole" "$TOOL" verify "$LOG"
prints "^whole: log 0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0: 3 chunks from 1 on, 3 sealed, 0 signed; 45 packets, 48 records" "its sums"
root=$(sed -n 's/^root //p' "$out")
check "a root that was kept" "$TOOL" verify --root "$root" "$LOG"
status 1 "one that is not there" "$TOOL" verify --root "${root//a/b}" "$LOG"
prints "^TAMPERED root:" "it says so"
status 1 "no signature where there has to be one" "$TOOL" verify --key "$dir/pub" "$LOG"
prints "^TAMPERED signature: chunk 1 hft/seal" "of each chunk"

make_log "$dir/key"
check "signatures" "$TOOL" verify --key "$dir/pub" "$LOG"
check "one of some keys" "$TOOL" verify --key "$dir/other" --key "$dir/pub" "$LOG"
status 1 "another key" "$TOOL" verify --key "$dir/other" "$LOG"
prints "^TAMPERED key: chunk 3 hft/seal" "which one"
poke chunk-00000002/stream-4 12300
status 1 "a packet that was changed" "$TOOL" verify "$LOG"
prints "^TAMPERED changed: chunk 2 stream-4 packet 3 at 12288 \(2023-11-14T22:14:22.000000000Z to 2023-11-14T22:14:24.000000000Z\)" "which one, and of when"
status 1 "the same as JSON" "$TOOL" verify --json "$LOG"
python3 -c 'import json, sys
log = json.load(open(sys.argv[1]))
(one,) = log["findings"]
assert log["verdict"] == "tampered" and log["tampered"] == 1 and log["signed"] == 3
assert (one["kind"], one["chunk"], one["file"]) == ("changed", 2, "stream-4")
assert (one["packet"], one["packets"], one["offset"]) == (3, 1, 12288)' "$out"
result $? "its fields"
status 1 "nothing but the status" "$TOOL" verify --quiet "$LOG"
[ ! -s "$out" ]
result $? "is printed"

make_log "$dir/key"
: >"$LOG/chunk-00000001/$(printf 'a\033[2J\303')"
status 1 "a file with a name of its own" "$TOOL" verify "$LOG"
prints '^TAMPERED added: chunk 1 a\\x1b\[2J\\xc3: ' "is shown in letters"
status 1 "in JSON, too" "$TOOL" verify --json "$LOG"
prints '"file": "a\\\\x1b\[2J\\\\xc3"' "in letters"

make_log "$dir/key"
check "a merge that is signed" "$TOOL" merge --key "$dir/key" --output "$dir/merged" "$LOG"
check "is so" "$TOOL" verify --key "$dir/pub" "$dir/merged"
rm -r "$LOG/chunk-00000003"
status 1 "without its last chunk" "$TOOL" verify "$LOG"
prints "^TAMPERED chunk missing: chunk 3" "it is missing"

make_log "$dir/key"
rm "$LOG/chunk-00000003/hft/seal"
status 3 "a writer that died" "$TOOL" verify "$LOG"
prints "^TORN unsealed: chunk 3: no seal yet" "what it left"
truncate -s 33000 "$LOG/chunk-00000003/stream-4"
status 3 "a torn stream" "$TOOL" verify "$LOG"
prints "^TORN torn: chunk 3 stream-4 packet 8 at 32768 " "from where on"
fails 2 "a repair without the key" "$TOOL" repair "$LOG"
prints "are signed, and no key .*--key" "says what it wants"
check "a repair" "$TOOL" repair --key "$dir/key" --output "$dir/repaired" "$LOG"
prints "^sealed 1 chunk with 14 packets of 14 records; cut 232 bytes of 1 streams$" "what it did"
check "what is repaired" "$TOOL" verify --key "$dir/pub" "$dir/repaired"
prints "^NOTE repaired: chunk 3: .* cut 232 bytes$" "says so"
check "by other code" python3 log_verify/sealed.py check "$dir/repaired" "$dir/key"
status 3 "the log itself is left alone" "$TOOL" verify "$LOG"
check "in place" "$TOOL" repair --key "$dir/key" --json "$LOG"
[ "$(stat -c %s "$LOG/chunk-00000003/.cut-stream-4")" = 232 ]
result $? "what is cut is kept"
status 0 "and whole" "$TOOL" verify "$LOG"
printed_in_vain() {
	[ $? = 2 ] && grep -q "standard output: No space left on device" "$out"
}
for command in verify repair clock "verify --json" "--help" "repair --help"; do
	# shellcheck disable=SC2086
	"$TOOL" $command "$LOG" >/dev/full 2>"$out"
	printed_in_vain
	result $? "$command to a disk that is full"
done
"$TOOL" verify "$LOG" >&- 2>"$out"
[ $? = 2 ] && grep -q "standard output: Bad file descriptor" "$out"
result $? "to nobody"
status 0 "again: there is nothing to do" "$TOOL" repair "$LOG"
prints "^sealed 0 chunks" "it says so"

make_log
status 1 "a root that was not" "$TOOL" verify --root "$(printf %064d 1)" "$LOG"
prints "^TAMPERED root: no chunk has" "says so"
rm "$LOG"/chunk-*/hft/seal
status 3 "a log without seals" "$TOOL" verify "$LOG"
prints "^torn: log 0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0: 3 chunks" "has its uuid"
(ulimit -f 20 && trap '' XFSZ && exec "$TOOL" repair --output "$dir/full" "$LOG") >"$out" 2>&1
[ $? = 2 ] && grep -q "log to $dir/full: " "$out"
result $? "a copy that has no room"
[ ! -e "$dir/full" ]
result $? "leaves nothing in its way"

make_log
check "clock evidence" "$TOOL" clock "$LOG"
prints "^evidence +2023-11-14T22:13:20.000000000Z to 2023-11-14T22:16:10.000000000Z, 18 records$" "of when"
prints "^covered +170.000 s, of that synchronised 170.000 s \(100.0000 %\)" "how much"
prints "^maximum divergence +250000 ns, at 2023-11-14T22:14:30.000000000Z" "the maximum"
prints "^warnings +1 excursions, 1 steps, 0 losses" "what happened"
prints "^  2023-11-14T22:15:00.000000000Z +step, .* step 1000000000 ns$" "and when"
prints "^within +100000 ns +82.3529 % of" "within 100 us but for 30 s of 170"
prints "^within +1000000 ns +100.0000 % of" "within 1 ms"
check "the same as JSON" "$TOOL" clock --json "$LOG"
python3 -c 'import json, sys
(log,) = json.load(open(sys.argv[1]))["hosts"]
assert log["host"] == "desk"
assert log["records"] == 18 and log["max_divergence_ns"] == 250000 and log["steps"] == 1
assert [l["within_s"] for l in log["limits"]] == [140.0, 170.0, 170.0]
assert log["limits"][0]["granularity_is_met"] and log["clocksources"] == ["tsc"]
assert [w["what"] for w in log["warnings"]] == ["excursion", "excursion over", "step"]' "$out"
result $? "its fields"
check "a part of it" "$TOOL" clock --from 2023-11-14T22:15:00Z "$LOG"
prints "^maximum divergence +1500 ns" "has another maximum"
python3 log_verify/sealed.py make "$dir/elsewhere" "" "$(printf 'other\033[2J')"
rm -r "$dir/elsewhere/chunk-00000002"
check "two machines" "$TOOL" clock --json "$LOG" "$dir/elsewhere"
python3 -c 'import json, sys
here, other = json.load(open(sys.argv[1]))["hosts"]
assert here["host"] == "desk" and other["host"].startswith("other")
assert here["records"] == 18 and here["covered_s"] == 170
assert other["records"] == 12 and other["covered_s"] == 100 and other["excursions"] == 0
assert here["max_divergence_ns"] == 250000 and other["max_divergence_ns"] == 1500' "$out"
result $? "have clocks of their own"
check "as text, too" "$TOOL" clock "$LOG" "$dir/elsewhere"
prints '^host +other\\x1b\[2J$' "and a name is no command of a terminal"
python3 log_verify/sealed.py make "$dir/long" "" "$(printf 'a%.0s' {1..300})"
check "a name of a machine may be long" "$TOOL" clock --json "$dir/long"
[ "$(grep -c '"host"' "$out")" = 1 ]
result $? "and is one machine's"
status 2 "nor is one in a message" "$TOOL" verify "$dir/$(printf 'a\033[2J')"
prints 'a\\x1b\[2J: ' "of an error"
status 2 "nor a byte that is no UTF-8" "$TOOL" verify "$dir/$(printf 'b\2332J\303\251')"
prints 'b\\x9b2Jé: ' "of an error, either"

fails 2 "no log" "$TOOL" verify
fails 2 "a log that is not there" "$TOOL" verify "$dir/none"
fails 2 "a key that is none" "$TOOL" verify --key "$LOG/chunk-00000001/metadata" "$LOG"
fails 2 "a root that is none" "$TOOL" verify --root 12 "$LOG"
fails 2 "an output that is there" "$TOOL" repair --output "$dir" "$LOG"
python3 log_tool/make.py "$dir/box"
status 1 "a machine without evidence" "$TOOL" clock --json "$LOG" "$dir/box"
python3 -c 'import json, sys
here, other = json.load(open(sys.argv[1]))["hosts"]
assert here["records"] == 18 and other == {"host": "box", "records": 0, "warnings": []}' "$out"
result $? "is shown"
status 1 "and as text" "$TOOL" clock "$LOG" "$dir/box"
prints "^evidence +none$" "it has none"
fails 1 "no evidence" "$TOOL" clock --from 2030-01-01T00:00:00Z "$LOG"
for command in verify repair clock; do
	check "$command --help" "$TOOL" $command --help
	prints "^Exit status: " "exit statuses"
done
finish
