"""The problem of keys that are not there."""

from http import HTTPStatus

from server.problems import Problem


class SealingUnavailable(Problem):
    """A key that seals values is missing or wrong here. Nothing was written or shown.

    Sending it again helps once the operator has put the keys right: `jingwei keys check`.
    """

    slug, status = "sealing-unavailable", HTTPStatus.SERVICE_UNAVAILABLE
    title, title_zh = "The keys of sealed values are not available", "加密密钥不可用"
    retry_after_s = 60
