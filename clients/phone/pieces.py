"""What is known of a file that has arrived in part."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """What has arrived of a file: how many bytes, of which version."""

    size: int
    etag: str
