"""Where a measured position may lie, and who answers there.

The geometry is asked outside any transaction, of the one immutable index that the write path
uses too (`server.replication.locating`); the store is asked before it for the index of the
boundaries in force, and after it for what the caller may know of the grids that were found.
"""
