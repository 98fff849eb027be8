"""What this app owes, and what it has settled without knowing that it arrived."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Optional

from ._held import SETTLED, WAITING, Held, identity
from .options import Outcome, Stats
from .v1 import consumer_pb2 as pb
from .verdicts import NAK, Verdict

MOST_NAMED = 1 << 20  # of Open.resume
MOST_NAMED_BYTES = 12 << 20  # a request has at most 16 MiB
ID_BYTES = 16  # of an entry, beside its token
NO_STREAM = -1  # knows it


class Settlement(NamedTuple):
    """A verdict that the daemon has to be told."""

    id: int
    verdict: Verdict


class Ledger:
    """All that keeps a message from being handled twice when a stream or its daemon goes. No threads, no I/O; guarded by the
    Session's lock.

    A stream that is opened answers which of the messages it still holds:

        held, resumed       goes on under its new id
        held, not resumed   lost: dropped if no handler has it yet, else an orphan, whose verdict nobody waits for
        settled, resumed    its verdict got lost on the way: sent again, and in doubt as well
        settled, not        the verdict arrived, or its daemon died with it: in doubt

    JetStream delivers an orphan, or one in doubt whose ack it never saw, once more. If that comes to this app, the orphan's handler
    goes on for the new attempt, and the verdict in doubt is given again.
    """

    def __init__(self, credit: int, remembered: int) -> None:
        """`credit`: most messages held at once. `remembered`: most verdicts kept, recent and in doubt each."""
        self._capacity = max(credit, remembered)
        self.stream = 0  # ordinal of the last opened stream; 0: none
        self.connected = False
        self.stats = Stats()
        self._held: dict[int, Held] = {}  # by id: of this stream, not settled
        self._given: deque[Held] = deque(maxlen=self._capacity)  # the last verdicts on this stream
        self._orphans: dict[int, Held] = {}  # by stream sequence: cancelled, with a handler
        self._doubts: dict[int, Held] = {}  # by stream sequence, the oldest first: acks and terms
        self._unconfirmed: dict[int, Held] = {}  # by id: settled, with an outcome to come
        self.outcomes: list[tuple[Held, Outcome]] = []  # to be told, without the lock

    # --- messages come and are settled ---

    def accept(self, arrived: Sequence[Held]) -> tuple[Sequence[Held], list[Settlement]]:
        """Deliveries of the current stream. Returns what is to be handled: nothing that was handled already."""
        told: list[Settlement] = []
        fresh = arrived
        if self._orphans or self._doubts:
            fresh = [held for held in arrived if not self._rejoin(held, told)]
        for held in fresh:
            held.stream = self.stream
            self._held[held.id] = held
        self.stats.received += len(fresh)
        self.stats.in_flight += len(fresh)
        return fresh, told

    def _rejoin(self, arrived: Held, told: list[Settlement]) -> bool:
        """True if an orphan or a verdict in doubt answers for this new attempt."""
        delivery = arrived.delivery
        assert delivery is not None
        if delivery.num_delivered < 2:
            return False
        message = identity(delivery)
        orphan = self._orphans.get(message[0])
        if orphan is not None and orphan.delivery is not None and identity(orphan.delivery) == message:
            self._adopt(orphan, arrived, told)
        elif (doubt := self._doubts.get(message[0])) is not None and doubt.stored == message:
            told.append(Settlement(arrived.id, doubt.verdict))
            arrived.settle(doubt.verdict)
            arrived.stream = self.stream
            self._given.append(arrived)
        else:
            return False
        self.stats.rejoined += 1
        return True

    def _adopt(self, orphan: Held, arrived: Held, told: list[Settlement]) -> None:
        if orphan.stream == self.stream:
            # A lease that ended on this same stream: the daemon still counts the old id against the credit. It suppresses a nak that
            # is late.
            told.append(Settlement(orphan.id, NAK))
            self._held.pop(orphan.id, None)
        orphan.id = arrived.id
        orphan.stream = self.stream
        orphan.leased = arrived.leased
        orphan.cancelled = False
        arrived.place = SETTLED
        del self._orphans[identity_of(orphan)[0]]
        self._held[orphan.id] = orphan

    def settle(self, held: Held, verdict: Verdict) -> Optional[int]:
        """The app's verdict, the first for this message. Returns the id to tell the daemon it for; none: it must not, or cannot now, and
        is told once a stream has resumed it."""
        held.settle(verdict)
        stats = self.stats
        stats.in_flight -= 1
        if verdict.kind == "ack":
            stats.acked += 1
        elif verdict.kind == "nak":
            stats.naked += 1
        else:
            stats.terminated += 1
        if held.cancelled and self._orphans.get(held.stored[0]) is held:
            del self._orphans[held.stored[0]]
        if held.cancelled or held.resumed:  # JetStream may have sent it again before the verdict is there
            self._doubt(held)
        if held.stream != self.stream:
            self.outcomes.append((held, Outcome.FAILED))
            return None
        del self._held[held.id]
        self._given.append(held)
        if held.outcome is not None:
            self._unconfirmed[held.id] = held
        return held.id if self.connected else None

    def confirm(self, ids: Iterable[int], outcome: Outcome) -> None:
        for id in ids:
            held = self._unconfirmed.pop(id, None)
            if held is not None:
                self.outcomes.append((held, outcome))

    # --- streams come and go ---

    def name_held(self, kept: bool) -> list[pb.Held]:
        """For Open.resume: what is held, then the last verdicts, the newest first, as far as it fits into a request. With a token goes
        what may be settled through another daemon process: acks always, as they do no harm; what has no verdict, and terms, only if they
        are `kept`, that is, no daemon can have given them back; naks never, as a second one could take the message from its new holder."""
        named: list[pb.Held] = []
        size = 0
        for held in (*self._held.values(), *reversed(self._given)):
            if held.place != SETTLED:
                token = held.delivery.token if kept and held.delivery is not None else b""
            else:
                again = held.harmless or (kept and held.verdict.kind == "term")
                token = held.token if again else b""
            size += ID_BYTES + len(token)
            if len(named) == MOST_NAMED or size > MOST_NAMED_BYTES:
                break
            named.append(pb.Held(id=held.id, token=token))
        return named

    def on_opened(self, resumed: dict[int, int]) -> list[Settlement]:
        """A new stream knows `resumed`: old id -> new id."""
        told: list[Settlement] = []
        self.stream += 1
        self.connected = True
        self.stats.streams += 1
        self._reopen_given(resumed, told)
        before, self._held = self._held, {}
        for held in before.values():
            new_id = resumed.get(held.id)
            if new_id is None:
                self.stats.lost += 1
                self._lose(held)
                continue
            held.id = new_id
            held.stream = self.stream
            held.resumed = True
            self._held[new_id] = held
        return told

    def _reopen_given(self, resumed: dict[int, int], told: list[Settlement]) -> None:
        given, self._given = self._given, deque(maxlen=self._capacity)
        unconfirmed, self._unconfirmed = self._unconfirmed, {}
        for held in given:
            self._doubt(held)  # it may already be on its way to us again
            new_id = resumed.get(held.id)
            if new_id is None:
                continue
            waits = unconfirmed.pop(held.id, None) is held
            held.id = new_id
            held.stream = self.stream
            self._given.append(held)
            if waits:
                self._unconfirmed[new_id] = held
            told.append(Settlement(new_id, held.verdict))
        for held in unconfirmed.values():
            self.outcomes.append((held, Outcome.FAILED))

    def on_stream_ended(self) -> None:
        self.connected = False

    def on_given_back(self) -> int:
        """The daemon's drain is over: it has given back all that had no verdict. Returns how many those were."""
        count = len(self._held)
        self._lose_all()
        return count

    def on_leases_ended(self, ids: Iterable[int]) -> list[Settlement]:
        """The daemon has let the leases of these go. What no handler has yet is given back, the rest is cancelled."""
        told: list[Settlement] = []
        for id in ids:
            held = self._held.get(id)
            if held is not None and self._lose(held):
                del self._held[id]
                told.append(Settlement(id, NAK))
        return told

    def hand_back(self) -> list[Settlement]:
        """Gives back what no handler has yet, ascending."""
        told: list[Settlement] = []
        for held in sorted(self._held.values(), key=lambda held: held.id):
            if held.place == WAITING:
                id = self.settle(held, NAK)
                if id is not None:
                    told.append(Settlement(id, NAK))
        return told

    def close(self) -> None:
        """Nothing will be told any more."""
        self.connected = False
        self._lose_all()
        for held in self._unconfirmed.values():
            self.outcomes.append((held, Outcome.FAILED))
        self._unconfirmed.clear()

    # --- within ---

    def _lose_all(self) -> None:
        for held in self._held.values():
            held.stream = NO_STREAM
            self._lose(held)
        self._held.clear()

    def _lose(self, held: Held) -> bool:
        """Its lease is over. True if it was dropped, as no handler had it."""
        if held.place == WAITING:
            held.place = SETTLED
            self.stats.in_flight -= 1
            return True
        held.cancelled = True
        self._orphans[identity_of(held)[0]] = held
        return False

    def _doubt(self, held: Held) -> None:
        if held.verdict.kind == "nak":  # it is to be handled again
            return
        self._doubts[held.stored[0]] = held
        if len(self._doubts) > self._capacity:
            del self._doubts[next(iter(self._doubts))]


def identity_of(held: Held) -> tuple[int, int]:
    assert held.delivery is not None
    return identity(held.delivery)
