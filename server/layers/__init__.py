"""Layers for analysts: grids, incidents and tasks as GeoJSON and as files for GIS programs.

What a layer may show is declared in `geo.layers`: not personal data, no free text, nobody's id.
"""
