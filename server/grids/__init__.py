"""Grid polygons: as GeoJSON, by place, and their import.

A grid is an area of level 5 with a boundary. The write path and `grids:locate` share one index
(`server.replication.locating`), so a report and a lookup of the same place agree.
"""
