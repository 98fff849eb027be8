"""What is published: `NUMBER KEY`, numbered from 1, at a steady rate, each stored once."""

import threading
import time

from runner.nats import Nats, NatsError

TICK_S = 0.01
SUBJECT = "storm"


class Load:
    """On a thread of its own, until stop(). What the server has not confirmed is published again under the same id, so that it is stored once; loads of
    different names have different ids."""

    def __init__(self, port, rate, keys, name="storm"):
        self._port, self._rate, self._keys, self._name = port, rate, keys, name.encode()
        self._over = threading.Event()
        self.published = 0
        self.problem = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        """Returns how many there are, all confirmed."""
        self._over.set()
        self._thread.join(60)
        if self._thread.is_alive() or self.problem:
            raise NatsError(self.problem or "the last messages were not confirmed within 60 s")
        return self.published

    def _run(self):
        connection, due, last = None, 0.0, time.monotonic()
        while not self._over.is_set():
            now = time.monotonic()
            due = min(due + self._rate * (now - last), self._rate * 0.1 + 1)
            last = now
            numbers = range(self.published + 1, self.published + 1 + int(due))
            due -= len(numbers)
            connection = self._store(connection, numbers)
            self.published += len(numbers)
            self._over.wait(TICK_S)
        if connection:
            connection.close()

    def _store(self, connection, numbers):
        messages = [(f"{SUBJECT}.{n % self._keys}".encode(), [(b"Nats-Msg-Id", b"%s-%d" % (self._name, n))], b"%d %d" % (n, n % self._keys)) for n in numbers]
        deadline = time.monotonic() + 60
        while messages:
            try:
                connection = connection or Nats(self._port)
                connection.publish(messages, timeout=3.0)
                return connection
            except (NatsError, OSError) as error:
                if time.monotonic() > deadline:
                    self.problem = f"cannot publish: {error}"
                    self._over.set()
                    return None
                if connection:
                    connection.close()
                connection = None
                time.sleep(0.05)
        return connection
