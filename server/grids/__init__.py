"""Grid polygons: as GeoJSON, in time, and their import.

A grid is an area of level 5 with a boundary. Which grid a place lies in is asked
of `server.locate`.
"""
