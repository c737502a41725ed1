"""Privacy as code: what every column holds and why; checks that what is refused stays out.

It reads descriptions of data, never data: tables, record kinds, the API's own document, and the
headings of files.
"""
