"""The shell: HTTP, database, settings and commands around the pure cores `sync` and `geo`."""
