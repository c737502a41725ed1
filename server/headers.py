"""Security headers on every answer."""

from starlette.datastructures import MutableHeaders

_ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "x-frame-options": "DENY",
}
_UNLESS_SET = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
_HSTS = "max-age=31536000; includeSubDomains"


def add_security_headers(headers: MutableHeaders, *, hsts: bool) -> None:
    """Add them; pages that need more than nothing set their own content security policy."""
    for name, value in _ALWAYS.items():
        headers[name] = value
    for name, value in _UNLESS_SET.items():
        headers.setdefault(name, value)
    if hsts:
        headers["strict-transport-security"] = _HSTS
