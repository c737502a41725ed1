"""Problems of photo uploads, the part of the registry that speaks tus 1.0.

They stand beside `server/problems.py` and follow the same rules.
"""

from http import HTTPStatus

from typing_extensions import override

from server.problems import Problem

TUS_VERSION = "1.0.0"


class OffsetMismatch(Problem):
    """The upload is at another offset than the request says; nothing was written.

    Ask with HEAD where it is and go on from there.
    """

    slug, status = "offset-mismatch", HTTPStatus.CONFLICT
    title, title_zh = "The upload is at another offset", "上传偏移量不一致"


class OtherTusVersion(Problem):
    """Send `Tus-Resumable: 1.0.0`; no other version of tus is spoken."""

    slug, status = "tus-version", HTTPStatus.PRECONDITION_FAILED
    title, title_zh = "Another version of tus", "不支持的 tus 版本"

    @override
    def headers(self) -> dict[str, str]:
        """Add the version that is spoken."""
        return {"tus-version": TUS_VERSION}


class MediaRefused(Problem):
    """These bytes cannot be kept: `code` says why. Do not send them again.

    `type`: not one of the accepted types, or not what was announced. `unreadable`: damaged, or
    not really a photo. `pixels`: too many of them. `effort`: reading it takes more memory or
    time than a photo of any allowed size needs. `erased`: it belonged to deleted data.
    """

    slug, status = "media-refused", HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    title, title_zh = "The photo or recording cannot be kept", "无法保存该照片或录音"


class HashMismatch(Problem):
    """What arrived does not have the announced hash and was dropped. Send it all again."""

    slug, status = "media-hash-mismatch", HTTPStatus.UNPROCESSABLE_ENTITY
    title, title_zh = "The bytes do not have the announced hash", "内容与声明的哈希不符"


class UploadLocked(Problem):
    """Another request is writing to this upload. Try again after `Retry-After` seconds."""

    slug, status = "upload-locked", HTTPStatus.LOCKED
    title, title_zh = "Another request is writing to it", "该上传正在被写入"
    retry_after_s = 1


class ChecksumMismatch(Problem):
    """The chunk was damaged on its way and dropped. Send it again from the same offset."""

    slug, status = "checksum-mismatch", 460
    title, title_zh = "The chunk does not have its checksum", "分块校验和不符"


class StorageFull(Problem):
    """There is no room for photos. Keep them and try again later; records are still taken."""

    slug, status = "storage-full", HTTPStatus.INSUFFICIENT_STORAGE
    title, title_zh = "No room for photos", "媒体存储空间已满"
    retry_after_s = 300


class RangeBeyondEnd(Problem):
    """The `Range` begins beyond the end. `Content-Range` says how many bytes there are."""

    slug, status = "range-beyond-end", HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    title, title_zh = "The range is beyond the end", "请求范围超出文件末尾"

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    @override
    def headers(self) -> dict[str, str]:
        """Add the size."""
        return {"content-range": f"bytes */{self._size}"}
