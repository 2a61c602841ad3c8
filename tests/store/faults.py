"""A layer under SQLite that fails at a chosen call."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import apsw


@dataclass(kw_only=True)
class Plan:
    """Fails the calls of some kinds that are counted down to: `at` 1 is the next one."""

    kinds: frozenset[str] = frozenset()
    error: type[apsw.Error] = apsw.IOError
    at: int = 0
    lasting: bool = False
    seen: list[str] = field(default_factory=list)

    def call(self, kind: str) -> None:
        """Count a call and fail if it is the one."""
        self.seen.append(kind)
        if kind in self.kinds:
            self.at -= 1
            if self.at == 0 or (self.lasting and self.at < 0):
                raise self.error(f"injected into {kind}")


class _File(apsw.VFSFile):
    def __init__(self, plan: Plan, below: str, name: Any, flags: Any) -> None:
        super().__init__(below, name, flags)
        self._plan = plan

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self._plan.call("read")
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._plan.call("write")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._plan.call("sync")
        super().xSync(flags)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._plan.call("truncate")
        super().xTruncate(size)


class _System(apsw.VFS):
    def __init__(self, plan: Plan) -> None:
        self._below = apsw.vfs_names()[0]
        super().__init__("faulty", self._below, makedefault=True)
        self._plan = plan

    def xOpen(self, name: Any, flags: Any) -> _File:  # noqa: N802
        self._plan.call("open")
        return _File(self._plan, self._below, name, flags)


@contextmanager
def injected() -> Iterator[Plan]:
    """Put the layer under every connection that is opened meanwhile."""
    plan = Plan()
    system = _System(plan)
    try:
        yield plan
    finally:
        system.unregister()
