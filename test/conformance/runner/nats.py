"""A connection to a nats-server in the plain text protocol: as much as the runner needs to publish anything byte by byte,
to ask JetStream, and to listen in. No library, so that the runner needs none; and those would check what is published."""

import itertools
import json
import socket
import threading
import time


class NatsError(Exception):
    pass


class Nats:
    """Thread-safe. Subscribers are called on the connection's own thread, and must be quick."""

    def __init__(self, port, timeout=5.0):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._socket.makefile("rb")
        self._sending = threading.Lock()
        self._ids = itertools.count(1)
        self._subscribers = {}
        self.info = json.loads(self._lines.readline().split(b" ", 1)[1])
        self._inbox = f"_INBOX.conformance.{self.info['client_id']}"
        self._replies = {}
        self._replied = threading.Condition()
        self._send(b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\n')
        self._socket.settimeout(None)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.subscribe(f"{self._inbox}.*", self._take_reply)

    def close(self):
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the server has gone first
        self._reader.join()
        self._lines.close()
        self._socket.close()

    def subscribe(self, subject, subscriber):
        """`subscriber(subject, data)` for each message from now on."""
        number = next(self._ids)
        self._subscribers[number] = subscriber
        self._send(f"SUB {subject} {number}\r\n".encode())

    def publish(self, messages, timeout=20.0):
        """Stores (subject, headers, data), all of them bytes, in JetStream; returns their stream sequences."""
        inboxes = []
        for subject, headers, data in messages:
            inboxes.append(self._new_inbox())
            self._publish(subject, headers, data, inboxes[-1])
        deadline = time.monotonic() + timeout
        return [_checked(json.loads(self._reply(inbox, deadline)))["seq"] for inbox in inboxes]

    def api(self, subject, request=None, timeout=5.0):
        """A request of the JetStream API, as in `STREAM.CREATE.X`."""
        inbox = self._new_inbox()
        data = json.dumps(request).encode() if request is not None else b""
        self._publish(f"$JS.API.{subject}".encode(), [], data, inbox)
        return _checked(json.loads(self._reply(inbox, time.monotonic() + timeout)))

    def _publish(self, subject, headers, data, inbox):
        block = b"".join(b"%s: %s\r\n" % header for header in headers)
        if block:
            block = b"NATS/1.0\r\n" + block + b"\r\n"
            start = b"HPUB %s %s %d %d\r\n" % (subject, inbox.encode(), len(block), len(block) + len(data))
        else:
            start = b"PUB %s %s %d\r\n" % (subject, inbox.encode(), len(data))
        self._send(start + block + data + b"\r\n")

    def _new_inbox(self):
        return f"{self._inbox}.{next(self._ids)}"

    def _send(self, data):
        try:
            with self._sending:
                self._socket.sendall(data)
        except OSError as error:
            raise NatsError(f"nats-server has gone: {error}") from None

    def _take_reply(self, subject, data):
        with self._replied:
            self._replies[subject] = data
            self._replied.notify_all()

    def _reply(self, inbox, deadline):
        with self._replied:
            if not self._replied.wait_for(lambda: inbox in self._replies, deadline - time.monotonic()):
                raise NatsError("nats-server did not answer a request in time")
            return self._replies.pop(inbox)

    def _read(self):
        try:
            while line := self._lines.readline():
                words = line.split()
                if words[:1] in ([b"MSG"], [b"HMSG"]):
                    self._deliver(words)
                elif words[:1] == [b"PING"]:
                    self._send(b"PONG\r\n")
        except (OSError, ValueError, NatsError):
            pass  # closed, here or there; whoever waits for an answer says so

    def _deliver(self, words):
        """MSG subject number [reply] size; HMSG the same with the size of the headers before."""
        size = int(words[-1])
        data = self._lines.read(size + 2)[:size]
        if words[0] == b"HMSG":
            data = data[int(words[-2]):]
        subscriber = self._subscribers.get(int(words[2]))
        if subscriber:
            subscriber(words[1].decode(errors="replace"), data)


def _checked(answer):
    if "error" in answer:
        raise NatsError(answer["error"].get("description", str(answer["error"])))
    return answer
