"""Every error the API can answer with: RFC 9457 problems from one closed registry.

A problem says what went wrong and what to do, and never repeats what was sent: a body may hold
personal data. Slugs are permanent. `docs/reference/problems.md` is generated from the classes
below (`describe_problems`): the docstring of each is its "what to do" paragraph.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, Self

from starlette.responses import Response
from typing_extensions import override

from server.clock import jitter_s

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "/problems/"
ERRORS_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyError:
    """One thing wrong in a body: where, as a JSON pointer, and why, without the value."""

    pointer: str
    reason: str


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it a problem
    """Base of all problems; raise a subclass, the handler answers with it.

    Args:
        detail: one sentence about this occurrence, in English, without personal data.
        wait_s: least seconds to wait, if another time than the class says.
        extensions: extra members of the answer, JSON values without personal data.
    """

    slug: ClassVar[str]
    title: ClassVar[str]
    title_zh: ClassVar[str]
    status: ClassVar[int]  # an HTTPStatus, but for codes of other standards
    retry_after_s: ClassVar[float | None] = None

    def __init__(
        self, detail: str = "", *, wait_s: float | None = None, **extensions: Any
    ) -> None:
        super().__init__(self.slug)
        self.detail = detail
        self.wait_s = self.retry_after_s if wait_s is None else wait_s
        self.extensions = extensions

    def headers(self) -> dict[str, str]:
        """Return the headers that belong to this problem."""
        return {} if self.wait_s is None else {"retry-after": str(jitter_s(self.wait_s))}

    def body(self, request_id: str | None) -> dict[str, Any]:
        """Return the problem as a JSON object."""
        body: dict[str, Any] = {
            "type": TYPE_PREFIX + self.slug,
            "title": self.title,
            "title_zh": self.title_zh,
            "status": int(self.status),
        }
        if self.detail:
            body["detail"] = self.detail
        if request_id is not None:
            body["instance"] = f"urn:uuid:{request_id}"
        return body | self.extensions

    def response(self, request_id: str | None) -> Response:
        """Return the whole HTTP answer."""
        content = json.dumps(self.body(request_id), ensure_ascii=False).encode()
        headers = self.headers()
        return Response(content, int(self.status), headers, media_type=MEDIA_TYPE)


class InvalidParameter(Problem):
    """Correct the named query, path or header parameter and send the request again."""

    slug, status = "invalid-parameter", HTTPStatus.BAD_REQUEST
    title, title_zh = "A parameter is missing or not usable", "参数缺失或无效"


class MalformedBody(Problem):
    """The body is not strict JSON.

    That is RFC 8259 in UTF-8, no repeated names, no NaN, no NUL, at most 32 levels, integers
    within 2^53. `offset` (bytes) or `pointer` says where. Correct the program that wrote it;
    sending it again unchanged gives the same answer.
    """

    slug, status = "malformed-body", HTTPStatus.BAD_REQUEST
    title, title_zh = "The body cannot be read", "请求体无法读取"


class Unauthenticated(Problem):
    """Send `Authorization: Bearer <token>`; the token must not be expired or revoked."""

    slug, status = "unauthenticated", HTTPStatus.UNAUTHORIZED
    title, title_zh = "A valid token is needed", "需要有效令牌"

    @override
    def headers(self) -> dict[str, str]:
        """Add the challenge that RFC 6750 asks for."""
        return {"www-authenticate": 'Bearer realm="jingwei"'}


class Forbidden(Problem):
    """The token is valid but its role, area or kind does not allow this.

    Ask an administrator.
    """

    slug, status = "forbidden", HTTPStatus.FORBIDDEN
    title, title_zh = "Not allowed for this token", "该令牌无权执行此操作"


class DeviceRevoked(Problem):
    """This device was revoked.

    Its queued work was not lost: it can still be handed in through `POST /v1/sync` and waits
    for a person. Enrol again with a new device id.
    """

    slug, status = "device-revoked", HTTPStatus.FORBIDDEN
    title, title_zh = "The device has been revoked", "设备已被停用"


class StaleLease(Problem):
    """Two phones share this device's identity, or an old copy of one was restored.

    The lease is neither the current nor the previous one, and nothing was stored. Enrol with a
    new device id and send the queued work under it; nothing has to be dropped.
    """

    slug, status = "stale-lease", HTTPStatus.FORBIDDEN
    title, title_zh = "Two phones share this identity", "两台设备使用了同一身份"


class NotFound(Problem):
    """Nothing with this address exists for you. It may exist outside your area."""

    slug, status = "not-found", HTTPStatus.NOT_FOUND
    title, title_zh = "Not found", "未找到"


class MethodNotAllowed(Problem):
    """The address exists but not with this method; the `Allow` header lists the right ones."""

    slug, status = "method-not-allowed", HTTPStatus.METHOD_NOT_ALLOWED
    title, title_zh = "Method not allowed", "不支持该请求方法"


class NotAcceptable(Problem):
    """The requested representation does not exist.

    See the OpenAPI document for those that do.
    """

    slug, status = "not-acceptable", HTTPStatus.NOT_ACCEPTABLE
    title, title_zh = "No such representation", "不支持所请求的格式"


class BodyTimeout(Problem):
    """The body arrived too slowly.

    Send it again, smaller or compressed, when the network is better.
    """

    slug, status = "body-timeout", HTTPStatus.REQUEST_TIMEOUT
    title, title_zh = "The body did not arrive in time", "请求体接收超时"

    @override
    def headers(self) -> dict[str, str]:
        """Close the connection: the rest of the body may never come."""
        return {"connection": "close"}


class AlreadyExists(Problem):
    """Something with this id or code exists. Read it, then decide whether to change it."""

    slug, status = "already-exists", HTTPStatus.CONFLICT
    title, title_zh = "It already exists", "已存在"


class TransitionRefused(Problem):
    """The thing is in a state that does not allow this step, or you may not take it.

    `code` is the permanent reason. Read the current state and decide again.
    """

    slug, status = "transition-refused", HTTPStatus.CONFLICT
    title, title_zh = "The state does not allow this step", "当前状态不允许此操作"


class NeedsPerson(Problem):
    """The change disagrees with another one that you had not seen.

    Nothing was written. Read the record, look at both values and decide; `code` is the
    permanent reason.
    """

    slug, status = "needs-person", HTTPStatus.CONFLICT
    title, title_zh = "A person has to decide", "需要人工处理"


class RecordMerged(Problem):
    """The record was merged into another one, which stands for both: `merged_into` names it.

    Nothing was written. Read that one, and decide about it.
    """

    slug, status = "record-merged", HTTPStatus.CONFLICT
    title, title_zh = "It was merged into another record", "该记录已并入另一条记录"

    def __init__(self, into: str) -> None:
        super().__init__(merged_into=into)
        self.into = into


class TooManyDependants(Problem):
    """More belongs to what would be moved than one request may move along.

    Nothing was written. Move fewer records at once, or move what belongs to them first.
    """

    slug, status = "too-many-dependants", HTTPStatus.CONFLICT
    title, title_zh = "Too much would have to follow", "关联记录过多"


class PreconditionFailed(Problem):
    """Somebody changed it after you read it.

    Read it again (`current_rev`), merge, and send the new `If-Match`.
    """

    slug, status = "precondition-failed", HTTPStatus.PRECONDITION_FAILED
    title, title_zh = "It has changed since you read it", "数据已被他人修改"


class PreconditionRequired(Problem):
    """Send `If-Match` with the `ETag` you read: nobody's change is overwritten unseen."""

    slug, status = "precondition-required", HTTPStatus.PRECONDITION_REQUIRED
    title, title_zh = "If-Match is required", "需要 If-Match 请求头"


class BodyTooLarge(Problem):
    """The body, or what it unpacks to, is over `limit_bytes`. Send less per request."""

    slug, status = "body-too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    title, title_zh = "The body is too large", "请求体过大"


class UnsupportedMedia(Problem):
    """Send JSON in UTF-8 with its media type, tables for import as CSV or XLSX.

    Of the encodings only `gzip`, once, is understood.
    """

    slug, status = "unsupported-media", HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    title, title_zh = "Media type or encoding not supported", "不支持的媒体类型或编码"


class RangeNotSatisfiable(Problem):
    """The range begins behind the end of what is stored; `Content-Range` tells its size."""

    slug, status = "range-not-satisfiable", HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    title, title_zh = "No such range", "请求的范围不存在"

    @override
    def headers(self) -> dict[str, str]:
        return {"content-range": f"bytes */{self.extensions['size']}"}


class InvalidBody(Problem):
    """The body is JSON but not what this address expects.

    `errors` lists where (JSON pointer) and why; correct those places.
    """

    slug, status = "invalid-body", HTTPStatus.UNPROCESSABLE_ENTITY
    title, title_zh = "The body does not fit the schema", "请求体不符合要求"

    def __init__(
        self, detail: str = "", *, errors: Sequence[BodyError] = (), **extensions: Any
    ) -> None:
        listed = [{"pointer": each.pointer, "reason": each.reason} for each in errors]
        super().__init__(detail, errors=listed[:ERRORS_MAX], **extensions)

    @classmethod
    def at(cls, pointer: str, reason: str) -> Self:
        """Return the problem of a body in which one place is wrong."""
        return cls(errors=[BodyError(pointer=pointer, reason=reason)])


class UpgradeRequired(Problem):
    """This version of the protocol is no longer spoken. Update the app; queued work is kept."""

    slug, status = "upgrade-required", HTTPStatus.UPGRADE_REQUIRED
    title, title_zh = "The app is too old", "应用版本过旧"


class TooManyRequests(Problem):
    """You send more than your share. Wait for `Retry-After` seconds.

    `RateLimit-Policy` says how many requests (`q`) a device or account has in how many seconds
    (`w`), `RateLimit` how many are left (`r`) and when there are new ones (`t`).
    """

    slug, status = "quota-exceeded", HTTPStatus.TOO_MANY_REQUESTS
    title, title_zh = "Too many requests", "请求过于频繁"
    retry_after_s = 5

    fields: Mapping[str, str] = {}

    @override
    def headers(self) -> dict[str, str]:
        """Return when to come back, and the `fields` of the IETF's rate limit draft."""
        return {**super().headers(), **self.fields}


class ServerFault(Problem):
    """A defect on our side. Tell the operator the `instance`.

    A request was stored whole or not at all, but a sync request of more than 100 mutations in
    parts: send that again unchanged, and what was stored is answered from the store.
    """

    slug, status = "server-fault", HTTPStatus.INTERNAL_SERVER_ERROR
    title, title_zh = "The server made a mistake", "服务器内部错误"


class NotHere(Problem):
    """This installation cannot do it, for example because the embedded store lacks it."""

    slug, status = "not-implemented-here", HTTPStatus.NOT_IMPLEMENTED
    title, title_zh = "Not available on this installation", "当前部署不支持"


class ServiceUnavailable(Problem):
    """The server is busy or its database is away.

    Send the request again, unchanged, after `Retry-After` seconds. It was stored whole or not
    at all, but a sync request of more than 100 mutations in parts: what was stored of that is
    answered from the store.
    """

    slug, status = "temporary-reduced-capacity", HTTPStatus.SERVICE_UNAVAILABLE
    title, title_zh = "Temporarily not available", "服务暂时不可用"
    retry_after_s = 2


def problem_types() -> tuple[type[Problem], ...]:
    """Return every problem type, ordered by status, then slug."""
    found = Problem.__subclasses__()
    return tuple(sorted(found, key=lambda each: (int(each.status), each.slug)))


def describe_problems() -> list[dict[str, Any]]:
    """Return slug, type, status, titles and the "what to do" paragraph of every problem."""
    return [
        {
            "slug": each.slug,
            "type": TYPE_PREFIX + each.slug,
            "status": int(each.status),
            "title": each.title,
            "title_zh": each.title_zh,
            "what_to_do": " ".join((each.__doc__ or "").split()),
        }
        for each in problem_types()
    ]


_CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
DEFAULT_RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {"description": "Any other problem", "content": _CONTENT}
}


def problems(*types: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """Return the `responses=` of an endpoint that can answer with these problems."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for each in types:
        entry = by_status.setdefault(int(each.status), {"description": "", "content": _CONTENT})
        entry["description"] = "; ".join(filter(None, (entry["description"], each.title)))
    return by_status
