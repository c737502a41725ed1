"""Who imports whom, measured from the sources."""

import ast
from collections.abc import Iterable

from tests.style.sources import PRODUCT, Module, modules

# The rooms that ARCHITECTURE.md draws inside the server. Whatever is not named is `shell`.
ROOMS = {
    "entrance": (
        "__main__",
        "accesslog_command",
        "api",
        "app",
        "cli",
        "codes_command",
        "files_command",
        "doctor",
        "doctor_command",
        "explaining",
        "erasures",
        "health",
        "keys_command",
        "maintain",
        "openapi",
        "privacy_command",
        "reference",
        "restoring",
        "serve",
        "terminal",
    ),
    "features": (
        "accesslog",
        "announcements",
        "archive",
        "areas",
        "assignments",
        "boundaries",
        "breakglass",
        "casework",
        "conflicts",
        "consents",
        "consolewrites",
        "devices",
        "duplicates",
        "erasure",
        "grids",
        "history",
        "households",
        "identifiers",
        "inbox",
        "layers",
        "locate",
        "media",
        "merging",
        "privacy",
        "registers",
        "revealing",
        "servicepoints",
        "subjects",
        "web",
    ),
    "replication": ("replication",),
    "imports": ("imports",),
    "identity": ("identity",),
    "migrations": ("migrations",),
    "db": ("db",),
}
ROOM_OF = {name: room for room, names in ROOMS.items() for name in names}


def imported_modules(module: Module) -> set[str]:
    """Dotted names a module imports, of the product only, at the top or inside a function."""
    names: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= (
                {f"server.{alias.name}" for alias in node.names}
                if node.module == "server"
                else {node.module}
            )
    return {name for name in names if name.split(".", 1)[0] in PRODUCT}


def arrows(pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """The pairs that lead from one node to another."""
    return {(here, there) for here, there in pairs if here != there}


def package_arrows() -> set[tuple[str, str]]:
    """Arrows between the top-level packages."""
    return arrows(
        (module.package, name.split(".", 1)[0])
        for module in modules(*PRODUCT)
        for name in imported_modules(module)
    )


def room_of(dotted: str) -> str:
    """Which room of the server's picture a module of the server belongs to."""
    return ROOM_OF.get(f"{dotted}.".split(".")[1], "shell")


def room_arrows() -> set[tuple[str, str]]:
    """Arrows between the rooms of the server."""
    return arrows(
        (room_of(module.dotted), room_of(name))
        for module in modules("server")
        for name in imported_modules(module)
        if name.startswith("server.")
    )
