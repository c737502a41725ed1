"""Problems of boundary changes, a part of the registry in `server/problems.py`."""

from http import HTTPStatus

from server.problems import Problem


class StaleBoundary(Problem):
    """A grid of the change was redrawn or closed since it was drawn up; `grids` names them.

    Nothing was written. Look at them as they are now, and put the edits again (`PUT`).
    """

    slug, status = "stale-boundary", HTTPStatus.CONFLICT
    title, title_zh = "The boundaries have changed meanwhile", "网格边界已发生变化"


class ChangeRefused(Problem):
    """The boundary change has faults, leaves something in no grid, or moves too much at once.

    Nothing was written. Ask for `validate` and `preview`, correct the edits, publish again.
    """

    slug, status = "boundary-change-refused", HTTPStatus.CONFLICT
    title, title_zh = "The boundary change cannot be published", "网格边界变更无法发布"
