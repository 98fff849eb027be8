"""Books orders into SQLite, each exactly once, however often its message is delivered.

    python orders.py [DATABASE]

A message is JSON: {"id": "A-17", "item": "tea", "quantity": 2}. The daemon is that of $SLUICE_ADDRESS, its consumer
`orders`. Ctrl-C or SIGTERM finishes what was begun, and prints what became of it.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import sys

import sluice

SCHEMA = """
create table if not exists orders (id text primary key, item text not null, quantity integer not null) without rowid;
create table if not exists stock (item text primary key, sold integer not null) without rowid;
"""


class Book:
    """Orders, and how much of each item was sold. For one thread at a time."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, timeout=5, check_same_thread=False)
        self._database.executescript("pragma journal_mode = wal;" + SCHEMA)

    def add(self, order: str, item: str, quantity: int) -> None:
        """In one transaction. An order that is there already changes nothing: that makes a redelivery harmless."""
        with self._database:
            self._database.execute("begin immediate")
            added = self._database.execute("insert or ignore into orders values (?, ?, ?)", (order, item, quantity))
            if added.rowcount:
                sold = "insert into stock values (?, ?) on conflict (item) do update set sold = sold + excluded.sold"
                self._database.execute(sold, (item, quantity))

    def handle(self, message: sluice.Message) -> None:
        """Returning acks; the rest is said by what is raised."""
        try:
            order = json.loads(message.data)
            self.add(str(order["id"]), str(order["item"]), int(order["quantity"]))
        except (ValueError, KeyError, TypeError) as error:
            raise sluice.Reject(f"not an order: {error!r}") from error  # it will not become one
        except sqlite3.OperationalError as error:
            logging.warning("the database is busy: %s", error)
            raise sluice.RetryAfter(2) from error


def main() -> int:
    logging.basicConfig(level=logging.INFO)
    book = Book(sys.argv[1] if len(sys.argv) > 1 else "orders.sqlite")
    with sluice.Client() as client:
        orders = client.consume("orders", book.handle)
        report = sluice.run(orders)
        print(f"booked {orders.stats().acked}, rejected {orders.stats().terminated}", flush=True)
    return 0 if report.completed else 1


if __name__ == "__main__":
    raise SystemExit(main())
