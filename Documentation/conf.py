# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sphinx: make -C Documentation."""
project = 'hft'
master_doc = 'index'
extensions = []
exclude_patterns = ['ABI']
html_theme = 'alabaster'
highlight_language = 'c'
# kernel-doc's rst refers to kernel and libc types that are not documented here.
nitpicky = False
