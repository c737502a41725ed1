"""The sync protocol, both ends, as pure functions over frozen values.

Nothing here reads a clock, draws a random number, opens a file or knows a database: values in,
values out, standard library only (`import-linter` holds it). The server's write path and the
phone both call these functions, so offline and online cannot disagree. Start with `mutation`
(what an author asks for), `record` (what is known), `merge` (how two histories meet) and `push`
(how a batch becomes a plan).
"""
