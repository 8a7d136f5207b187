#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# hft-log unpack: other readers of CTF read the copy of a log that is compressed, and it is as
# whole as the log.
cd "$(dirname "$0")" || exit 1
. ../include/tap.sh
TOP=$(realpath ../..)
BUILD=${BUILD:-$TOP/build}
TOOL=$BUILD/tools/hft-log
SOURCE=$BUILD/selftests/host/plain/log_scale
RECORDS=500000

[ -x "$TOOL" ] && [ -x "$SOURCE" ] || skip_all "hft-log or log_scale is not built"
command -v babeltrace2 >/dev/null || skip_all "there is no babeltrace2"

HFT_TEST_SCALE=1 HFT_KEEP=$dir/kept "$SOURCE" >/dev/null 2>&1
result $? "a compressed log"
log=$dir/kept/scale
packed=$(find "$log" -name 'stream-*.zst' | wc -l)
[ "$packed" -gt 1 ]
result $? "has compressed streams"

file=$(find "$log" -name 'stream-*.zst' | sort | head -n 1)
check "a copy" "$TOOL" unpack --output "$dir/copy" "$log"
[ "$(find "$dir/copy" -name 'stream-*' ! -name '*.zst' | wc -l)" = "$packed" ] &&
	[ -z "$(find "$dir/copy" -name '*.zst')" ]
result $? "has none"
check "is whole" "$TOOL" verify "$dir/copy"
count=0
for chunk in "$dir"/copy/chunk-*; do
	[ -z "$(find "$chunk" -name 'stream-*')" ] ||
		count=$((count + $(babeltrace2 "$chunk" --component=sink.utils.counter --params=step=+0 |
			sed -n 's/^ *\([0-9]*\) Event messages.*/\1/p')))
done
[ "$count" = $RECORDS ]
result $? "babeltrace2 reads $count of $RECORDS records of it"

plain=${file%.zst}
cp "$dir/copy${plain#"$log"}" "$plain"
check "a stream that is there twice" "$TOOL" unpack --output "$dir/twice" "$log"
diff -r "$dir/copy" "$dir/twice" >"$out"
result $? "is copied once"
rm "$plain"
status 2 "no second copy to the same place" "$TOOL" unpack --output "$dir/copy" "$log"
status 2 "no place" "$TOOL" unpack "$log"
printf '\245\245\245\245' | dd of="$file" bs=1 seek=5000 conv=notrunc status=none
status 1 "a stream that is damaged" "$TOOL" unpack --output "$dir/other" "$log"
[ "$(find "$dir/other" -name 'stream-*' | wc -l)" = "$packed" ]
result $? "the others are there"
(ulimit -f 40 && trap '' XFSZ && exec "$TOOL" unpack --output "$dir/third" "$log") >"$out" 2>&1
[ $? = 2 ]
result $? "a disk that is full"
[ ! -e "$dir/third" ]
result $? "leaves nothing in its way"
finish
