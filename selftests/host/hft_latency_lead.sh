#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# hft-latency --lead learned: the table of leads, as text and as JSON.
cd "$(dirname "$0")" || exit 1
. ../include/tap.sh
TOP=$(realpath ../..)
TOOL=${BUILD:-$TOP/build}/tools/hft-latency

[ -x "$TOOL" ] || skip_all "no $TOOL: run make tools"
export HFT_BACKEND=soft
if ! "$TOOL" -p 0 -l 400 -q --lead learned --lead-table >"$dir/text" 2>"$dir/error"; then
	! grep -q "lock memory" "$dir/error" || skip_all "memory can not be locked here"
fi

awk '/late ppm/ { rows = 1; next }
	rows && $1 ~ /^[0-9]+$/ {
		if (n++ && ($1 <= lead || $2 >= late || $3 < cpu))
			exit bad = 1
		lead = $1; late = $2; cpu = $3
		now += /<- now/
	}
	END { exit bad || n < 2 || now > 1 }' "$dir/text"
result $? "a longer lead has fewer late starts and costs more"

grep -q "before a release (learned)" "$dir/text"
result $? "it says that the lead was learned"

"$TOOL" -p 0 -l 200 -q --lead learned --budget 500000 -j >"$dir/json" 2>&1 &&
	python3 - "$dir/json" <<'PYTHON'
import json, sys
lead = json.load(open(sys.argv[1]))['lead']
assert lead['budget_ppm'] == 500000
assert 1 <= lead['wakeups'] <= 200
rows = lead['leads']
assert rows and all(a[0] < b[0] and a[1] > b[1] for a, b in zip(rows, rows[1:]))
PYTHON
result $? "JSON has all of it"

status 2 "--lead-table without --lead learned" "$TOOL" -q --lead-table
status 2 "--budget without --lead learned" "$TOOL" -q --budget 5
status 2 "a budget of nothing" "$TOOL" -q --lead learned --budget 0
status 2 "a budget of more than the CPU" "$TOOL" -q --lead learned --budget 1000001
finish
