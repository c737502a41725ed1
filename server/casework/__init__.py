"""The closed loop: report, incident, dispatch, task, check, close.

Reads are plain queries. A step of the loop is an act of a record's life cycle: the endpoint
checks who may ask and where, the write path decides, and a step the state does not allow is
answered 409 with nothing changed.
"""
