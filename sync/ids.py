"""Ids that follow from other ids, so that the same act always names the same consequence.

A report's incident or a claim's record must get the same id in every replay and on both
databases. Such an id is a UUID version 8 (RFC 9562, section 5.8) made from a SHA-256; ids
made by people's devices are version 7.
"""

from hashlib import sha256

_VERSION_8 = "8"
_VARIANTS = "89ab"


def derived_id(*parts: str | int) -> str:
    """Return the UUID, in lower-case canonical form, that belongs to these parts in this order.

    Parts are kept apart by their lengths, so `("ab", "c")` and `("a", "bc")` differ.
    """
    text = "".join(f"{len(each)}:{each}" for each in map(str, parts))
    hexes = sha256(text.encode()).hexdigest()
    variant = _VARIANTS[int(hexes[16], 16) & 3]
    return (
        f"{hexes[:8]}-{hexes[8:12]}-{_VERSION_8}{hexes[13:16]}-"
        f"{variant}{hexes[17:20]}-{hexes[20:32]}"
    )
