"""Which column of a file is which field: known headings, a mapping, and what is refused.

A heading is compared without case, spaces and marks. People in an office call the same column
by many names; those that leave no doubt are known in English and Chinese. A mapping file says
the rest.
"""

import json
import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from server.imports.cells import FileFault, check_names

COLUMNS_MAX: Final = 100
MAPPING_BYTES_MAX: Final = 64 * 1024
_MARKS = re.compile(r"[\W_]+")


class Sort(StrEnum):
    """How the cells of a column are read."""

    TEXT = "text"
    PHONE = "phone"
    NUMBER = "number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column that a kind of file may have."""

    name: str
    aliases: str = ""
    sort: Sort = Sort.TEXT
    required: bool = False


def _table(*columns: Column) -> Mapping[str, Column]:
    return MappingProxyType({each.name: each for each in columns})


_DWELLING = "dwelling_code building building_code 住宅编码 楼栋 楼栋编码 楼栋编号 房屋编码"
_DOOR = "door_no unit_door room room_no 门牌 门号 门牌号 房号 户号 室号 房间号"
_PHONE = "telephone tel mobile phone_number 电话 联系电话 手机 手机号 手机号码 电话号码"
COLUMNS: Final[Mapping[str, Mapping[str, Column]]] = MappingProxyType(
    {
        "dwellings": _table(
            Column(name="code", aliases=_DWELLING, required=True),
            Column(name="address", aliases="地址 住址 详细地址 门牌地址", required=True),
            Column(name="lon", aliases="longitude lng 经度", sort=Sort.NUMBER, required=True),
            Column(name="lat", aliases="latitude 纬度", sort=Sort.NUMBER, required=True),
            Column(name="grid", aliases="grid_code 网格 网格编码 网格编号"),
            Column(name="datum", aliases="坐标系 坐标基准"),
        ),
        "households": _table(
            Column(name="dwelling", aliases=_DWELLING, required=True),
            Column(name="door", aliases=_DOOR, required=True),
            Column(name="contact_phone", aliases=f"phone {_PHONE}", sort=Sort.PHONE),
            Column(name="size_band", aliases="household_size 人数 户人数 家庭人数"),
            Column(name="status", aliases="状态 居住状态"),
            Column(name="visit_preference", aliases="走访方式 走访偏好"),
            Column(name="languages", aliases="language 语言"),
        ),
        "residents": _table(
            Column(name="dwelling", aliases=_DWELLING, required=True),
            Column(name="door", aliases=_DOOR, required=True),
            Column(name="no", aliases="number 序号 编号", required=True),
            Column(name="name", aliases="full_name 姓名", required=True),
            Column(name="birth_year", aliases="出生年 出生年份", sort=Sort.NUMBER),
            Column(name="phone", aliases=_PHONE, sort=Sort.PHONE),
            Column(name="status", aliases="状态 居住状态"),
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """What a mapping says: heading to field, headings to leave out, and the sheet to read."""

    columns: Mapping[str, str] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    sheet: str | None = None


UNMAPPED: Final = Mapped()


def folded(heading: str) -> str:
    """Return a heading without case, width, spaces and marks."""
    return _MARKS.sub("", unicodedata.normalize("NFKC", heading)).casefold()


def read_mapping(content: bytes, *, toml: bool) -> Mapped:
    """Return what a mapping in JSON or TOML says.

    `columns` is a table from headings to fields, `ignore` a list of headings, `sheet` a title.

    Raises:
        FileFault: if it cannot be read or says something else.
    """
    if len(content) > MAPPING_BYTES_MAX:
        raise FileFault(f"the mapping is larger than {MAPPING_BYTES_MAX} bytes")
    try:
        text = content.decode("utf-8-sig")
        said = tomllib.loads(text) if toml else json.loads(text)
    except (ValueError, RecursionError):
        raise FileFault(f"the mapping is not {'TOML' if toml else 'JSON'}") from None
    return _mapped(said)


def _mapped(said: Any) -> Mapped:
    known = {"columns", "ignore", "sheet"}
    if not isinstance(said, dict) or not said.keys() <= known:
        raise FileFault("the mapping may only have the members columns, ignore and sheet")
    columns, ignored, sheet = said.get("columns", {}), said.get("ignore", []), said.get("sheet")
    texts = isinstance(columns, dict) and all(
        isinstance(each, str) for each in columns.values()
    )
    listed = isinstance(ignored, list) and all(isinstance(each, str) for each in ignored)
    if not (texts and listed and isinstance(sheet, str | None)):
        raise FileFault("in the mapping columns is a table of texts, ignore a list of them")
    named = {folded(heading): name for heading, name in columns.items()}
    return Mapped(columns=named, ignored=frozenset(map(folded, ignored)), sheet=sheet)


def columns_of(
    headings: Sequence[str], known: Mapping[str, Column], mapped: Mapped = UNMAPPED
) -> list[Column | None]:
    """Return the column that each heading stands for, None for one that is left out.

    Raises:
        FileFault: if a heading is refused or unknown, or a column is missing or named twice.
            Headings are named by their number: they may be people's data in the wrong place.
    """
    while headings and not headings[-1]:
        headings = headings[:-1]
    if len(headings) > COLUMNS_MAX:
        raise FileFault(f"has more than {COLUMNS_MAX} columns")
    check_names(headings)
    by_heading = {
        folded(name): each.name
        for each in known.values()
        for name in (*each.aliases.split(), each.name)
    } | dict(mapped.columns)
    names = [
        None if folded(each) in mapped.ignored else by_heading.get(folded(each), "")
        for each in headings
    ]
    _check(names, known)
    return [None if name is None else known[name] for name in names]


def _check(names: Sequence[str | None], known: Mapping[str, Column]) -> None:
    listed = ", ".join(known)
    unknown = [str(at) for at, name in enumerate(names, 1) if name not in {None, *known}]
    if unknown:
        reason = f"has unknown columns (number {', '.join(unknown)})"
        raise FileFault(reason, f"remove or map them; known: {listed}")
    missing = [each.name for each in known.values() if each.required and each.name not in names]
    if missing:
        reason = f"lacks the column {', '.join(missing)}"
        raise FileFault(reason, f"the first line must name the columns among {listed}")
    named = [name for name in names if name is not None]
    if len(set(named)) < len(named):
        raise FileFault("names a column twice")
