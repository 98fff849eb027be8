"""What is to be written to one stream, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Optional, Union

from .v1 import consumer_pb2 as pb
from .verdicts import Verdict

# Most ids in one request: about 20 KiB, far below the limits of any server.
MOST_IDS = 4096

IN_PROGRESS = Verdict("in_progress")


class Runs:
    """Verdicts, as runs of ids."""

    def __init__(self) -> None:
        self.size = 0
        self._runs: list[tuple[Verdict, list[int]]] = []
        self._last: Optional[Verdict] = None
        self._ids: list[int] = []

    def of(self, verdict: Verdict) -> list[int]:
        """The ids that the next verdict of this kind joins."""
        if verdict is not self._last and verdict != self._last:
            self._last = verdict
            self._ids = []
            self._runs.append((verdict, self._ids))
        return self._ids

    def request(self) -> pb.ConsumeRequest:
        runs = [_run(verdict, ids) for verdict, ids in self._runs]
        return pb.ConsumeRequest(settle=pb.Settle(runs=runs))


class Outbox:
    """One write is in flight at a time; verdicts queued meanwhile go out together in the next. Bounded by the credit: a
    held message has one verdict, and at most one in_progress queued. Guarded by the Session's lock."""

    def __init__(self) -> None:
        self._queue: deque[Union[pb.ConsumeRequest, Runs]] = deque()
        self._runs: Optional[Runs] = None  # the last of the queue, if more goes into it
        self.taken = 0  # ordinal of the last request that next() gave out
        self.finished = False
        self.closed = True

    def open(self, request: pb.ConsumeRequest) -> None:
        """Starts a new stream; what is left of the old one is forgotten."""
        self.taken += len(self._queue)  # ordinals never come twice
        self._queue.clear()
        self.finished = self.closed = False
        self.add(request)

    def add(self, request: pb.ConsumeRequest) -> None:
        self._queue.append(request)
        self._runs = None

    def add_verdict(self, id: int, verdict: Verdict) -> None:
        runs = self._runs
        if runs is None or runs.size >= MOST_IDS:
            runs = self._new_runs()
        runs.of(verdict).append(id)
        runs.size += 1

    def add_verdicts(self, ids: Sequence[int], verdict: Verdict) -> None:
        while ids:
            runs = self._runs
            if runs is None or runs.size >= MOST_IDS:
                runs = self._new_runs()
            fitting = ids[: MOST_IDS - runs.size]
            runs.of(verdict).extend(fitting)
            runs.size += len(fitting)
            ids = ids[len(fitting) :]

    def add_in_progress(self, id: int) -> int:
        """Returns the ordinal of the request it goes with; see `taken`."""
        self.add_verdict(id, IN_PROGRESS)
        return self.taken + len(self._queue)

    def finish(self) -> None:
        """Half-closes the stream after what is queued."""
        self.finished = True

    def close(self) -> None:
        """Nothing can be written any more."""
        self.closed = True

    def next(self) -> Union[pb.ConsumeRequest, Runs, None]:
        """The request to be written next."""
        if self.closed or not self._queue:
            return None
        self.taken += 1
        request = self._queue.popleft()
        if request is self._runs:
            self._runs = None
        return request

    def _new_runs(self) -> Runs:
        self._runs = runs = Runs()
        self._queue.append(runs)
        return runs


def _run(verdict: Verdict, ids: list[int]) -> pb.SettleRun:
    if verdict.kind == "ack":
        return pb.SettleRun(ids=ids, ack=pb.Ack())
    if verdict.kind == "nak":
        run = pb.SettleRun(ids=ids, nak=pb.Nak())
        if verdict.delay_ms:
            run.nak.delay.FromMilliseconds(verdict.delay_ms)
        return run
    if verdict.kind == "term":
        return pb.SettleRun(ids=ids, term=pb.Term(reason=verdict.reason))
    return pb.SettleRun(ids=ids, in_progress=pb.InProgress())
