"""The store: two databases behind one interface, the tables, and what each dialect needs.

Endpoints and queries get a SQLAlchemy `Connection` from `server.db.store` and write statements
against the tables of `server.db.tables`. What differs between PostgreSQL with PostGIS and a
SQLite file that is a GeoPackage stays inside this package: spatial expressions in `spatial`,
set-based writes in `bulk`, column types in `types`.
"""
