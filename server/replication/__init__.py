"""The write path and the feed: gather what a batch needs, let `sync` decide, store, answer.

`push` (phones) and `submit` (consoles and imports) are the two doors to one write path; `apply`
is the only module that writes records, projections, conflicts and the feed, in one transaction.
`pull` reads the feed. Nothing here decides a rule: rules live in `sync`.
"""
