"""`python -m server` is the `jingwei` command."""

from server.cli import main

main()
