"""`/v1/uploads`: tus 1.0 with creation, checksum, expiration and termination."""

from email.utils import formatdate
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from server.deps import Now, StoreDep
from server.media import tus, uploading
from server.media.access import MediaPrincipal
from server.media.store import MediaDep
from server.media.tus import CHUNK_TYPE, CREATED, NO_CONTENT
from server.media.uploading import Desk, Standing
from server.problems import (
    BodyTimeout,
    BodyTooLarge,
    Forbidden,
    InvalidParameter,
    MalformedBody,
    NotFound,
    ServiceUnavailable,
    TooManyRequests,
    UnsupportedMedia,
    problems,
)
from server.recordids import PathId
from server.upload_problems import (
    TUS_VERSION,
    ChecksumMismatch,
    HashMismatch,
    MediaRefused,
    OffsetMismatch,
    OtherTusVersion,
    StorageFull,
    UploadLocked,
)

router = APIRouter(prefix="/v1/uploads", tags=["media"])
_CHUNK: dict[str, Any] = {
    "required": False,
    "content": {CHUNK_TYPE: {"schema": {"type": "string", "format": "binary"}}},
}
_RECEIVING = (
    BodyTimeout,
    BodyTooLarge,
    ChecksumMismatch,
    Forbidden,
    HashMismatch,
    InvalidParameter,
    MalformedBody,
    MediaRefused,
    OtherTusVersion,
    ServiceUnavailable,
    StorageFull,
    UnsupportedMedia,
    UploadLocked,
)


def _header(name: str, text: str, *, required: bool = False) -> dict[str, Any]:
    schema = {"type": "string"}
    return {"name": name, "in": "header", "required": required, "description": text} | {
        "schema": schema
    }


_VERSION = _header("Tus-Resumable", "`1.0.0`", required=True)
_CHECKSUM = _header("Upload-Checksum", "`sha1` or `sha256`, a space, the digest in Base64")


async def _desk(
    *,
    request: Request,
    store: StoreDep,
    media: MediaDep,
    principal: MediaPrincipal,
    now: Now,
) -> Desk:
    """Know who asks and that tus is spoken, before anything of a body is read."""
    if request.method != "OPTIONS":
        tus.check_version(request.headers)
    return Desk(store=store, media=media, principal=principal, now_ms=now)


DeskDep = Annotated[Desk, Depends(_desk)]


def _answer(status: int, standing: Standing, **headers: str) -> Response:
    """Return an answer without a body that says how far the upload is."""
    told = {
        "tus-resumable": TUS_VERSION,
        "upload-offset": str(standing.offset),
        "upload-expires": formatdate(standing.expires_ms / 1000, usegmt=True),
    }
    return Response(status_code=status, headers=told | headers)


@router.options("", status_code=204, response_class=Response, responses=problems(Forbidden))
async def describe_uploads(desk: DeskDep) -> Response:
    """Tell which tus version, extensions, checksums and size are taken."""
    return Response(
        status_code=NO_CONTENT,
        headers={
            "tus-resumable": TUS_VERSION,
            "tus-version": TUS_VERSION,
            "tus-extension": tus.EXTENSIONS,
            "tus-max-size": str(desk.media.limits.upload_bytes),
            "tus-checksum-algorithm": ",".join(tus.CHECKSUMS),
        },
    )


@router.post(
    "",
    status_code=201,
    response_class=Response,
    openapi_extra={
        "parameters": [
            _VERSION,
            _header("Upload-Length", "size of the whole file in bytes", required=True),
            _header(
                "Upload-Metadata",
                "`hash` and `filetype`, each with its value in Base64: the content hash"
                " (`sha256:` and 64 hexadecimal digits) and the media type",
                required=True,
            ),
            _CHECKSUM,
        ],
        "requestBody": _CHUNK,
    },
    responses=problems(TooManyRequests, *_RECEIVING),
)
async def begin_upload(request: Request, desk: DeskDep) -> Response:
    """Begin an upload; `Location` is where to go on. The body may be the first chunk already.

    Bytes that the caller may see already are not asked for again: `Upload-Offset` is then the
    whole size.
    """
    headers = request.headers
    wanted = tus.announced(headers)
    has_chunk = "content-type" in headers
    if has_chunk:
        tus.check_chunk_type(headers)
    checksum = tus.checksum_of(headers)
    upload = await uploading.start(desk, wanted)
    if has_chunk and upload.finished_ms is None:
        pieces = request.stream()
        standing = await uploading.append(desk, upload, pieces, offset=0, checksum=checksum)
    else:
        standing = await uploading.standing(desk, upload)
    return _answer(CREATED, standing, location=f"{router.prefix}/{upload.id}")


@router.head(
    "/{upload_id}",
    response_class=Response,
    openapi_extra={"parameters": [_VERSION]},
    responses=problems(
        Forbidden,
        HashMismatch,
        MediaRefused,
        NotFound,
        OtherTusVersion,
        ServiceUnavailable,
        StorageFull,
        UploadLocked,
    ),
)
async def look_at_upload(upload_id: PathId, desk: DeskDep) -> Response:
    """Tell in `Upload-Offset` how many bytes are safe; send the rest from there."""
    upload = await uploading.owned(desk, upload_id)
    standing = await uploading.standing(desk, upload)
    more = {"upload-length": str(standing.size), "cache-control": "no-store"}
    return _answer(200, standing, **more)


@router.patch(
    "/{upload_id}",
    status_code=204,
    response_class=Response,
    openapi_extra={
        "parameters": [
            _VERSION,
            _header("Upload-Offset", "where the chunk begins, in bytes", required=True),
            _CHECKSUM,
        ],
        "requestBody": _CHUNK,
    },
    responses=problems(NotFound, OffsetMismatch, *_RECEIVING),
)
async def continue_upload(upload_id: PathId, request: Request, desk: DeskDep) -> Response:
    """Append a chunk, which is safe on disk when this is answered.

    The last one makes the photo visible under its hash: verified, and stripped of metadata.
    """
    tus.check_chunk_type(request.headers)
    offset, checksum = tus.offset_of(request.headers), tus.checksum_of(request.headers)
    upload = await uploading.owned(desk, upload_id)
    standing = await uploading.append(
        desk, upload, request.stream(), offset=offset, checksum=checksum
    )
    return _answer(NO_CONTENT, standing)


@router.delete(
    "/{upload_id}",
    status_code=204,
    response_class=Response,
    openapi_extra={"parameters": [_VERSION]},
    responses=problems(Forbidden, NotFound, OtherTusVersion, UploadLocked),
)
async def give_up_upload(upload_id: PathId, desk: DeskDep) -> Response:
    """Give an upload up; its bytes are removed. A photo that is finished stays."""
    upload = await uploading.owned(desk, upload_id)
    await uploading.give_up(desk, upload)
    return Response(status_code=NO_CONTENT, headers={"tus-resumable": TUS_VERSION})
