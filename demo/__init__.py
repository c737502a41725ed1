"""The demonstration: real polygons, made-up people, a working day of phones over real HTTP.

It builds a store of its own, imports the data that ships in `demo/data`, runs the reference
phone client against a server process, and checks the promises of the protocol from outside. It
may use `server` and `clients`; nothing of the product may use it.
"""
