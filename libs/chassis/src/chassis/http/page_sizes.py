"""Rows of a page, over HTTP and of commands."""

PAGE_ROWS_DEFAULT = 50
PAGE_ROWS_MAX = 500
