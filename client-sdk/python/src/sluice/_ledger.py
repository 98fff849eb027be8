"""What this app owes, and what it has settled without knowing that it arrived."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Optional

from ._held import Batch, Held, essence, stored_ns
from ._lanes import Frame, Queue
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

    def __init__(self, waiting: Queue, credit: int, remembered: int) -> None:
        """`waiting`: what is held, and no handler has it yet. `credit`: most messages held at once. `remembered`: most
        verdicts kept, recent and in doubt each."""
        self.stream = 0  # ordinal of the last opened stream; 0: none
        self.connected = False
        self.stats = Stats()
        self._waiting = waiting
        self._held: dict[int, Held] = {}  # by id: with a handler
        self._batches: set[Batch] = set()  # the same, but not parted: of this stream, with nothing out of the ordinary
        self._orphans: dict[int, Held] = {}  # by stream sequence: cancelled, with a handler
        self._resumed: set[int] = set()  # ids that an earlier stream had given
        self._given = Memory(max(credit, remembered))  # on this stream
        self._doubts = Doubts(max(credit, remembered))
        self._unconfirmed: dict[int, concurrent.futures.Future[Outcome]] = {}  # by id: settled
        self.outcomes: list[tuple[concurrent.futures.Future[Outcome], Outcome]] = []  # to be told, without the lock

    # --- messages come, are started, and settled ---

    def accept(self, arrived: Sequence[pb.Delivery]) -> tuple[Sequence[pb.Delivery], list[Settlement]]:
        """Deliveries of the current stream. Returns what is to wait for a handler: nothing that was handled already."""
        told: list[Settlement] = []
        fresh = arrived
        if self._orphans or self._doubts:
            fresh = [delivery for delivery in arrived if delivery.num_delivered < 2 or not self._rejoin(delivery, told)]
        self.stats.received += len(fresh)
        self.stats.in_flight += len(fresh)
        return fresh, told

    def _rejoin(self, arrived: pb.Delivery, told: list[Settlement]) -> bool:
        """True if an orphan or a verdict in doubt answers for this new attempt."""
        orphan = self._orphans.get(arrived.stream_sequence)
        if orphan is not None and stored_ns(orphan.delivery) == stored_ns(arrived):
            if orphan.stream == self.stream:
                # A lease that ended on this same stream: the daemon still counts the old id against the credit. It
                # suppresses a nak that is late.
                told.append(Settlement(orphan.id, NAK))
                del self._held[orphan.id]
            self._adopt(orphan, arrived.id)
            orphan.rejoined = essence(arrived)
            orphan.cancelled = False
            del self._orphans[arrived.stream_sequence]
        else:
            verdict = self._doubts.find(arrived)
            if verdict is None:
                return False
            told.append(Settlement(arrived.id, verdict))
            self._given.add(arrived.id, verdict, arrived, large=True)
        self.stats.rejoined += 1
        return True

    def start(self, delivery: pb.Delivery, frame: Frame, key: bytes) -> Held:
        """It gets a handler."""
        id = delivery.id
        held = self._held[id] = Held(delivery, id, frame.leased, self.stream)
        if key:
            held.key = key
        if frame.large:
            held.large = True
        return held

    def start_batch(self, batch: Batch) -> None:
        self._batches.add(batch)

    def part(self, batch: Batch) -> dict[int, Held]:
        """By Delivery.id: each of them is on its own from now on."""
        if batch.helds is not None:
            return batch.helds
        batch.helds = {
            id: Held(delivery, id, batch.leased, self.stream) for id, delivery in zip(batch.ids, batch.deliveries)
        }
        for held in batch.helds.values():
            held.large = batch.large
            held.settled = batch.settled
        if not batch.settled:
            self._batches.remove(batch)
            self._held.update(batch.helds)
        return batch.helds

    def settle(self, held: Held, verdict: Verdict) -> Optional[int]:
        """The app's verdict, the first for this message. Returns the id to tell the daemon it for; none: it must not,
        or cannot now, and is told once a stream has resumed it."""
        held.settled = True
        self._count(verdict)
        delivery, id = held.delivery, held.id
        if held.cancelled and self._orphans.get(delivery.stream_sequence) is held:
            del self._orphans[delivery.stream_sequence]
        if held.cancelled or id in self._resumed:  # JetStream may have sent it again before the verdict is there
            self._doubts.add(delivery, verdict)
            self._resumed.discard(id)
        if held.stream != self.stream:
            if held.outcome is not None:
                self.outcomes.append((held.outcome, Outcome.FAILED))
            return None
        del self._held[id]
        self._given.add(id, verdict, held.attempt, held.large)
        if held.outcome is not None:
            self._unconfirmed[id] = held.outcome
        return id if self.connected else None

    def settle_batch(self, batch: Batch, verdict: Verdict) -> Optional[Sequence[int]]:
        """The same for a whole batch. Returns the ids to tell the daemon it for; none: it is parted, so settle each."""
        if self._resumed:
            self.part(batch)
        if batch.helds is not None:
            return None
        batch.settled = True
        self._batches.remove(batch)
        self._given.add_many(batch.ids, verdict, batch.deliveries, batch.large)
        self._count(verdict, len(batch.ids))
        return batch.ids

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
            yield held.id, held.attempt.token if kept else b""
        for delivery in self._waiting:
            yield delivery.id, delivery.token if kept else b""
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
        lost = len(self._waiting.revise(resumed.get))
        self.stats.lost += lost
        self.stats.in_flight -= lost
        return told

    def _reopen_given(self, resumed: dict[int, int]) -> list[Settlement]:
        told: list[Settlement] = []
        before = list(self._given)
        self._given.clear()
        unconfirmed, self._unconfirmed = self._unconfirmed, {}
        for id, verdict, delivery in before:
            self._doubts.add(delivery, verdict)  # it may already be on its way to us again
            if id not in resumed:
                continue
            self._given.add(resumed[id], verdict, delivery, large=False)
            told.append(Settlement(resumed[id], verdict))
            if id in unconfirmed:
                self._unconfirmed[resumed[id]] = unconfirmed.pop(id)
        self.outcomes.extend((future, Outcome.FAILED) for future in unconfirmed.values())
        return told

    def on_stream_ended(self) -> None:
        self.connected = False
        self._part_all()

    def on_given_back(self) -> int:
        """The daemon's drain is over: it has given back all that had no verdict. Returns how many those were."""
        self._part_all()
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
        self._part_all()
        ended = set(ids)
        for id in ended & self._held.keys():
            self._orphan(self._held[id])
        dropped = self._waiting.revise(lambda waiting: None if waiting in ended else waiting)
        self.stats.in_flight -= len(dropped)
        return [Settlement(id, NAK) for id in dropped]

    def hand_back(self) -> list[Settlement]:
        """Gives back what no handler has yet, ascending."""
        told: list[Settlement] = []
        for delivery in sorted(self._waiting, key=lambda one: one.id):
            self._count(NAK)
            self._given.add(delivery.id, NAK, delivery, large=True)
            if self.connected:
                told.append(Settlement(delivery.id, NAK))
        self._waiting.clear()
        return told

    def close(self) -> None:
        """Nothing will be told any more."""
        self.connected = False
        self.on_given_back()
        self.outcomes.extend((future, Outcome.FAILED) for future in self._unconfirmed.values())
        self._unconfirmed.clear()

    # --- within ---

    def _part_all(self) -> None:
        for batch in list(self._batches):
            self.part(batch)

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
