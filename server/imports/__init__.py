"""Bulk import: areas, grids, dwellings, households with residents, event classes.

A file is read (`tables`, `shapes`), every row is checked against the glossary of kinds and
against `geo`, and rows are written as a console's mutations through the one write path
(`writing`): of the registry the good ones, of anything else all or none. Ids follow from
codes, so a second import of the same file changes nothing and an interrupted one is finished
by running it again. May not hold rules about records: those live in `sync`, and rules about
shapes live in `geo`.
"""
