"""What nobody may use at present."""

from http import HTTPStatus

from server.problems import Problem


class RecordRestricted(Problem):
    """Somebody asked that nobody uses what is held about them, and that was granted.

    Nothing was given out or written. Whoever works on that request knows when it is lifted.
    """

    slug, status = "record-restricted", HTTPStatus.FORBIDDEN
    title, title_zh = "Nobody may use this record at present", "该记录目前限制处理"
