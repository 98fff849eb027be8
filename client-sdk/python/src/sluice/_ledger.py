"""What this app owes, and what it has settled without knowing that it arrived."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Optional

from ._held import Held, stored_ns
from ._memory import Doubts, Memory
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
    """All that keeps a message from being handled twice when a stream or its daemon goes. No threads, no I/O; guarded
    by the Session's lock.

    A stream that is opened answers which of the messages it still holds:

        held, resumed       goes on under its new id
        held, not resumed   lost: dropped if no handler has it yet, else an orphan, whose verdict nobody waits for
        settled, resumed    its verdict got lost on the way: sent again, and in doubt as well
        settled, not        the verdict arrived, or its daemon died with it: in doubt

    JetStream delivers an orphan, or one in doubt whose ack it never saw, once more. If that comes to this app, the
    orphan's handler goes on for the new attempt, and the verdict in doubt is given again.
    """

    def __init__(self, credit: int, remembered: int) -> None:
        """`credit`: most messages held at once. `remembered`: most verdicts kept, recent and in doubt each."""
        self.stream = 0  # ordinal of the last opened stream; 0: none
        self.connected = False
        self.stats = Stats()
        self._waiting: dict[int, pb.Delivery] = {}  # by id, as the next: held, and no handler has it yet
        self._held: dict[int, Held] = {}  # with a handler
        self._orphans: dict[int, Held] = {}  # by stream sequence: cancelled, with a handler
        self._resumed: set[int] = set()  # ids that an earlier stream had given
        self._given = Memory(max(credit, remembered))  # on this stream
        self._doubts = Doubts(max(credit, remembered))
        self._unconfirmed: dict[int, concurrent.futures.Future[Outcome]] = {}  # by id: settled
        self.outcomes: list[tuple[concurrent.futures.Future[Outcome], Outcome]] = []  # to be told, without the lock

    # --- messages come, are started, and settled ---

    def accept(self, arrived: Sequence[pb.Delivery]) -> tuple[Sequence[pb.Delivery], list[Settlement]]:
        """Deliveries of the current stream. Returns what is to be handled: nothing that was handled already."""
        told: list[Settlement] = []
        fresh = arrived
        if self._orphans or self._doubts:
            fresh = [delivery for delivery in arrived if delivery.num_delivered < 2 or not self._rejoin(delivery, told)]
        self._waiting.update(zip([delivery.id for delivery in fresh], fresh))
        self.stats.received += len(fresh)
        self.stats.in_flight += len(fresh)
        return fresh, told

    def _rejoin(self, arrived: pb.Delivery, told: list[Settlement]) -> bool:
        """True if an orphan or a verdict in doubt answers for this new attempt."""
        sequence, stored = arrived.stream_sequence, stored_ns(arrived)
        orphan = self._orphans.get(sequence)
        if orphan is not None and stored_ns(orphan.delivery) == stored:
            if orphan.stream == self.stream:
                # A lease that ended on this same stream: the daemon still counts the old id against the credit. It
                # suppresses a nak that is late.
                told.append(Settlement(orphan.id, NAK))
                del self._held[orphan.id]
            self._adopt(orphan, arrived.id)
            orphan.cancelled = False
            del self._orphans[sequence]
        else:
            verdict = self._doubts.find(sequence, stored)
            if verdict is None:
                return False
            told.append(Settlement(arrived.id, verdict))
            self._given.add(arrived.id, verdict, sequence, stored, arrived.token)
        self.stats.rejoined += 1
        return True

    def start(self, delivery: pb.Delivery, leased: float) -> Optional[Held]:
        """It gets a handler; none: it was given back meanwhile."""
        id = delivery.id
        if self._waiting.pop(id, None) is None:
            return None
        held = self._held[id] = Held(delivery, id, leased, self.stream)
        return held

    def start_many(self, frames: Iterable[tuple[Sequence[pb.Delivery], float]]) -> list[Held]:
        stream = self.stream
        waiting = self._waiting
        started = [
            Held(delivery, delivery.id, leased, stream)
            for deliveries, leased in frames
            for delivery in deliveries
            if waiting.pop(delivery.id, None) is not None
        ]
        self._held.update(zip([held.id for held in started], started))
        return started

    def settle(self, held: Held, verdict: Verdict) -> Optional[int]:
        """The app's verdict, the first for this message. Returns the id to tell the daemon it for; none: it must not,
        or cannot now, and is told once a stream has resumed it."""
        held.settled = True
        self._count(verdict)
        delivery, id = held.delivery, held.id
        sequence, stored = delivery.stream_sequence, stored_ns(delivery)
        if held.cancelled and self._orphans.get(sequence) is held:
            del self._orphans[sequence]
        if held.cancelled or id in self._resumed:  # JetStream may have sent it again before the verdict is there
            self._doubts.add(sequence, stored, verdict)
            self._resumed.discard(id)
        if held.stream != self.stream:
            if held.outcome is not None:
                self.outcomes.append((held.outcome, Outcome.FAILED))
            return None
        del self._held[id]
        self._given.add(id, verdict, sequence, stored, delivery.token)
        if held.outcome is not None:
            self._unconfirmed[id] = held.outcome
        return id if self.connected else None

    def settle_many(self, helds: Sequence[Held], verdict: Verdict) -> list[int]:
        """The same for many, in fewer steps where nothing is out of the ordinary. Those that have a verdict keep it."""
        if self._orphans or self._resumed or not self.connected:
            ids = [self.settle(held, verdict) for held in helds if not held.settled]
            return [id for id in ids if id is not None]
        settled = [held for held in helds if not held.settled and held.outcome is None]
        for held in settled:
            held.settled = True
            del self._held[held.id]
        ids_told = [held.id for held in settled]
        self._given.add_many(ids_told, verdict, [held.delivery for held in settled])
        self._count(verdict, len(settled))
        return ids_told

    def confirm(self, ids: Iterable[int], outcome: Outcome) -> None:
        for id in ids:
            future = self._unconfirmed.pop(id, None)
            if future is not None:
                self.outcomes.append((future, outcome))

    # --- streams come and go ---

    def name_held(self, kept: bool) -> list[pb.Held]:
        """For Open.resume: what is held, then the last verdicts, the newest first, as far as it fits into a request.
        With a token goes what may be settled through another daemon process: acks always, as they do no harm; what has
        no verdict, and terms, only if they are `kept`, that is, no daemon can have given them back; naks never, as a
        second one could take the message from its new holder."""
        named: list[pb.Held] = []
        size = 0
        for id, token in self._names(kept):
            size += ID_BYTES + len(token)
            if len(named) == MOST_NAMED or size > MOST_NAMED_BYTES:
                break
            named.append(pb.Held(id=id, token=token))
        return named

    def _names(self, kept: bool) -> Iterator[tuple[int, bytes]]:
        for held in self._held.values():
            yield held.id, held.delivery.token if kept else b""
        for id, delivery in self._waiting.items():
            yield id, delivery.token if kept else b""
        for given in reversed(self._given):
            yield given.id, given.token_for(kept)

    def on_opened(self, resumed: dict[int, int]) -> list[Settlement]:
        """A new stream knows `resumed`: old id -> new id."""
        self.stream += 1
        self.connected = True
        self.stats.streams += 1
        self._resumed = set(resumed.values())
        told = self._reopen_given(resumed)
        held_before, self._held = self._held, {}
        for held in held_before.values():
            if held.id in resumed:
                self._adopt(held, resumed[held.id])
            else:
                self.stats.lost += 1
                self._orphan(held)
        waiting_before, self._waiting = self._waiting, {}
        for id, delivery in waiting_before.items():
            if id in resumed:
                delivery.id = resumed[id]
                self._waiting[delivery.id] = delivery
            else:
                self.stats.lost += 1
                self.stats.in_flight -= 1
        return told

    def _reopen_given(self, resumed: dict[int, int]) -> list[Settlement]:
        told: list[Settlement] = []
        before = list(self._given)
        self._given.clear()
        unconfirmed, self._unconfirmed = self._unconfirmed, {}
        for id, verdict, sequence, stored, token in before:
            self._doubts.add(sequence, stored, verdict)  # it may already be on its way to us again
            if id not in resumed:
                continue
            self._given.add(resumed[id], verdict, sequence, stored, token)
            told.append(Settlement(resumed[id], verdict))
            if id in unconfirmed:
                self._unconfirmed[resumed[id]] = unconfirmed.pop(id)
        self.outcomes.extend((future, Outcome.FAILED) for future in unconfirmed.values())
        return told

    def on_stream_ended(self) -> None:
        self.connected = False

    def on_given_back(self) -> int:
        """The daemon's drain is over: it has given back all that had no verdict. Returns how many those were."""
        count = len(self._held) + len(self._waiting)
        for held in self._held.values():
            held.stream = NO_STREAM
            self._orphan(held)
        self.stats.in_flight -= len(self._waiting)
        self._held.clear()
        self._waiting.clear()
        return count

    def on_leases_ended(self, ids: Iterable[int]) -> list[Settlement]:
        """The daemon has let the leases of these go. What no handler has yet is given back, the rest is cancelled."""
        told: list[Settlement] = []
        for id in ids:
            if id in self._waiting:
                del self._waiting[id]
                self.stats.in_flight -= 1
                told.append(Settlement(id, NAK))
            elif id in self._held:
                self._orphan(self._held[id])
        return told

    def hand_back(self) -> list[Settlement]:
        """Gives back what no handler has yet, ascending."""
        told: list[Settlement] = []
        for id, delivery in sorted(self._waiting.items()):
            self._count(NAK)
            self._given.add(id, NAK, delivery.stream_sequence, stored_ns(delivery), delivery.token)
            if self.connected:
                told.append(Settlement(id, NAK))
        self._waiting.clear()
        return told

    def close(self) -> None:
        """Nothing will be told any more."""
        self.connected = False
        self.on_given_back()
        self.outcomes.extend((future, Outcome.FAILED) for future in self._unconfirmed.values())
        self._unconfirmed.clear()

    # --- within ---

    def _adopt(self, held: Held, id: int) -> None:
        """The current stream knows it by this id."""
        held.id = id
        held.stream = self.stream
        self._held[id] = held

    def _orphan(self, held: Held) -> None:
        held.cancelled = True
        self._orphans[held.delivery.stream_sequence] = held

    def _count(self, verdict: Verdict, messages: int = 1) -> None:
        stats = self.stats
        stats.in_flight -= messages
        if verdict.kind == "ack":
            stats.acked += messages
        elif verdict.kind == "nak":
            stats.naked += messages
        else:
            stats.terminated += messages
