#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Merge gcovr's JSON traces and print a table of the lines that ran.

usage: coverage.py THRESHOLD TRACE...

The module is built in a folder of links to its sources: what was counted there is
counted for kmod/ itself.
"""
import collections
import json
import re
import sys

GATED = re.compile(r'kmod/(core/.*|(queue|dispatch|ring|uring)\.c)|'
                   r'libhft/src/engine/(submit|uring|ring|inbox\w*|soft_\w+)\.c|'
                   r'libhft/src/(pool/(deque|park|queue|slab|spawn|work|worker)\.[ch]|'
                   r'graph/(execute|rank|run)\.c|resource/resource\.c|strand/strand\.c|lock\.h|'
                   r'log/(drainer|flush|ring|ring_read|ring_room|thread)\.c)|'
                   r'libhft/include/hft/log_call\.h')
# Of each way to count
ONE_OF_EACH = ('kmod/dispatch.c', 'libhft/src/engine/uring.c', 'libhft/src/engine/sim_run.c')
SHOWN = re.compile(r'kmod/|libhft/')


def source_of(path):
    return re.sub(r'^(.*/)?kmod/debug-gcov/', 'kmod/', path)


def merge(traces):
    lines = collections.defaultdict(lambda: collections.defaultdict(int))
    for trace in traces:
        with open(trace, encoding='utf-8') as f:
            files = json.load(f)['files']
        for entry in files:
            counts = lines[source_of(entry['file'])]
            for line in entry['lines']:
                if not line.get('gcovr/noncode'):
                    counts[line['line_number']] += line['count']
    return lines


def ranges(numbers):
    """[1, 2, 3, 7] -> '1-3,7'"""
    spans = []
    for n in sorted(numbers):
        if spans and spans[-1][1] == n - 1:
            spans[-1][1] = n
        else:
            spans.append([n, n])
    return ','.join(f'{a}-{b}' if a != b else str(a) for a, b in spans)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    threshold = float(sys.argv[1])
    low = 0
    merged = merge(sys.argv[2:])
    for path in ONE_OF_EACH:
        if path not in merged:
            sys.exit(f'coverage: nothing of {path} was counted')
    print(f'{"file":<36} {"lines":>6} {"ran":>6} {"%":>6}  not run')
    for path, counts in sorted(merged.items()):
        if not SHOWN.match(path) or not counts:
            continue
        missed = [n for n, count in counts.items() if not count]
        percent = 100 * (1 - len(missed) / len(counts))
        mark = ''
        if GATED.match(path) and percent < threshold:
            mark, low = f'  < {threshold:g} %', low + 1
        print(f'{path:<36} {len(counts):>6} {len(counts) - len(missed):>6} {percent:>6.1f}'
              f'  {ranges(missed)}{mark}')
    if low:
        sys.exit(f'coverage: {low} files are below {threshold:g} %')


main()
