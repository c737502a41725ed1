"""Polygons and places, pure: coordinates in, answers out.

Knows shapely, pyproj and numpy. It does not know HTTP, a database, a clock or any file, and
takes longitude before latitude everywhere. All faults of input are `geo.errors.GeoError`.
"""
