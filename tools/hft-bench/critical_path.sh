#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# ---
# Usage: critical_path.sh
#
# What the order by the critical path gains over that of submission on the graphs
# of HFT_TEST_DATA's dag/stg50.tar.gz, as hftctl graph compare has it: prints the
# figure critical_path_gain_pct and leaves the table by graph in
# build/critical_path.txt.  The same each time: it is on a simulated machine.
# ---
set -euo pipefail

HERE=$(dirname "$(realpath "$0")")
TOP=$(realpath "$HERE/../..")
BUILD=${BUILD:-$TOP/build}
GRAPHS=${HFT_TEST_DATA:-}/dag/stg50.tar.gz
TABLE=$BUILD/critical_path.txt

[ "${1:-}" != --help ] || { sed -n '/^# ---$/,/^# ---$/{/^# ---$/d;s/^# \{0,1\}//;p}' "$0"; exit 0; }
[ $# = 0 ] || { echo "critical_path: unknown argument $1: see --help" >&2; exit 2; }
[ -r "$GRAPHS" ] || { echo "skip critical_path_gain_pct HFT_TEST_DATA has no dag/stg50.tar.gz"; exit 0; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tar -xzf "$GRAPHS" -C "$tmp"
"$BUILD/tools/hftctl" graph compare --ticks 50 --rounds 4 "$tmp"/50/*.stg >"$TABLE"

# "rows 2160, gain 4.00 % on average; a bound allows 20 % of 40: 21.75 %"
awk '/^rows / {
	rows = $2 + 0
	mean = $4
	count = $14 + 0
	gain = $15
}
END {
	if (gain == "") {
		print "skip critical_path_gain_pct a bound allows 20 % of no graph"
		exit
	}
	printf "figure critical_path_gain_pct %s\n", gain
	printf "note critical_path_gain_pct: of the %d runs of %d of which a bound allows 20 %%; of all %s %%; the table is critical_path.txt\n",
		count, rows, mean
}' "$TABLE"
