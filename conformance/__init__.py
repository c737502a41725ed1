"""Certifying a phone client: a real server, a network that misbehaves on plan, and scenarios.

The client is a process that is spoken to over its standard input and output (`contract`). It
talks to a real server with a real store (`town`) through a proxy that records, loses, cuts,
repeats and rewrites what passes (`wire`). Each scenario certifies one *must* of the protocol.
"""
