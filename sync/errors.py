"""What the sync core raises when its caller, or the other end of the wire, broke the protocol.

These are errors of a request or reply as a whole. What is wrong with one mutation is never an
exception: it is an outcome (see `sync.outcome`).
"""


class ProtocolError(Exception):
    """A request or reply is not one of this protocol.

    `pointer` is an RFC 6901 JSON pointer to the member at fault and `reason` a short English
    sentence part; neither ever repeats a value.
    """

    def __init__(self, pointer: str, reason: str) -> None:
        super().__init__(f"{pointer or '/'}: {reason}")
        self.pointer = pointer
        self.reason = reason


class UnsupportedProtocol(ProtocolError):  # noqa: N818 - named as the condition it reports
    """The request speaks a protocol version this end does not."""
