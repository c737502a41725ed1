"""Rows of people are read through a scope by everybody but those listed with a reason."""

import ast
import re

from server.db.holdings import column_holdings
from server.db.reach import WALLED
from server.db.tables import METADATA, StoredRow
from sync.fields import DataClass
from sync.holding import Purpose
from tests.style.sources import Module, modules, strings

SQL = re.compile(rf'\b(FROM|JOIN|INTO|UPDATE|TABLE)\s+"?({"|".join(WALLED)})\b')
OF_RESIDENTS = frozenset({Purpose.REGISTRY, Purpose.VISITS, Purpose.SERVICE})
"""What residents are known for; other purposes are about the staff, or about the protocol."""
OF_OTHERS = {"service_point": "who set the hours of an office: the staff"}

MAY_NAME_A_TABLE = {
    "server/areas/scoped.py": "makes the scoped selects",
    "server/identifiers/queries.py": (
        "has no area of its own: shown joined to residents in scope; the rest keeps, rotates"
        " and destroys what is sealed"
    ),
    "server/identifiers/key_queries.py": "asks which keys are needed, not whose numbers",
    "server/imports/queries.py": "asks whether ids exist, for an operator who imports",
    "server/layers/queries.py": "counts households of the whole tree, so that k holds for all",
    "server/replication/dependant_queries.py": "the write path: what belongs to a record",
    "server/replication/leaving_queries.py": "upkeep: what is over leaves the feeds of all",
    "server/replication/projections.py": "the write path: which table a kind is told in",
}
MAY_REACH_EVERYWHERE = {
    "server/db/reach.py": "defines it",
    "server/identifiers/queries.py": "expiry, rotation and destruction ask nobody's scope",
    "server/identifiers/key_queries.py": "keys seal numbers of every area",
    "server/imports/queries.py": "an operator imports into any area",
    "server/layers/queries.py": "what may be published is decided for the whole tree",
    "server/migrations/__init__.py": "a migration changes every row",
    "server/replication/dependant_queries.py": "a merge takes along what belongs to a record",
    "server/replication/feed_queries.py": "doctor compares typed rows with records",
    "server/replication/leaving_queries.py": "upkeep: what is over leaves the feeds of all",
    "server/replication/queries.py": "the write path stores what was decided",
    "server/replication/rebuild_queries.py": "doctor finds and removes rows without a record",
}


def _rows(row: type[StoredRow]) -> list[type[StoredRow]]:
    return [each for child in row.__subclasses__() for each in (child, *_rows(child))]


CLASSES = {
    each.__name__
    for each in _rows(StoredRow)
    if getattr(each, "__tablename__", None) in WALLED and hasattr(each, "__table__")
}


def names_a_table(module: Module) -> bool:
    """Whether a module can get hold of one of the tables: by class, or as SQL text."""
    if not any(word in module.text for word in (*CLASSES, *WALLED)):
        return False
    for node in ast.walk(module.tree):
        if isinstance(node, ast.alias) and node.name in CLASSES:
            return True
        if isinstance(node, ast.Attribute) and node.attr in CLASSES:
            return True
    return any(SQL.search(text) for _, text in strings(module.tree))


def product() -> list[Module]:
    room = ("server/db/tables/", "server/migrations/versions/")
    return [each for each in modules("server") if not each.path.startswith(room)]


def test_people_are_read_through_a_scope_by_everybody_else() -> None:
    naming = {each.path for each in product() if names_a_table(each)}
    assert naming == set(MAY_NAME_A_TABLE)


def test_nobody_else_reaches_everywhere() -> None:
    asking = {
        each.path
        for each in product()
        if "everywhere" in each.text
        for node in ast.walk(each.tree)
        if isinstance(node, ast.Name | ast.FunctionDef | ast.alias)
        and "everywhere" in {getattr(node, "id", ""), getattr(node, "name", "")}
    }
    assert asking == set(MAY_REACH_EVERYWHERE)


def test_the_walls_stand_around_what_the_catalogue_says_of_residents() -> None:
    """A new table with personal data of residents is walled, or its purpose is another one."""
    personal = {
        each.table
        for each in column_holdings()
        if each.holding is not None
        and each.holding.data_class is not DataClass.P0
        and OF_RESIDENTS & set(each.holding.purposes)
    }
    assert personal - set(OF_OTHERS) == set(WALLED)
    assert set(WALLED) <= set(METADATA.tables)


def test_a_module_that_looks_past_the_scope_is_found() -> None:
    for text in (
        "from server.db.tables import Account, Household",
        "from server.db import tables\nrows = tables.Resident.__table__",
        'db.execute(text("SELECT name FROM resident"))',
    ):
        assert names_a_table(Module("server/new/queries.py", text, ast.parse(text)))
    assert not names_a_table(
        Module("x", "", ast.parse('"""Notes from household to people."""'))
    )
