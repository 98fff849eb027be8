"""A driver without an SDK, on bare grpcio: it shows that the scenarios can be kept, and, with SLUICE_DOUBLE_FAULT, that the
runner sees what is done wrong. Naive: a thread per handler, a write per verdict, one lock."""

import base64
import collections
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
import zlib

import grpc
from google.protobuf import duration_pb2
from sluice.v1 import consumer_pb2 as pb

FAULT = os.environ.get("SLUICE_DOUBLE_FAULT", "")
ADDRESS = os.environ.get("SLUICE_ADDRESS", "unix:///run/sluice/sluice.sock")
SERVICE = "/sluice.v1.ConsumerService/"
PERMANENT = (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNIMPLEMENTED,
             grpc.StatusCode.PERMISSION_DENIED)
_writing = threading.Lock()
_attempts = collections.Counter()


def tell(event, **fields):
    with _writing:
        print(json.dumps({"event": event, **fields}), flush=True)


def text(data):
    return base64.b64encode(data).decode()


def duration(ms):
    return duration_pb2.Duration(seconds=int(ms) // 1000, nanos=int(ms) % 1000 * 1_000_000)


def settle(ids, words):
    run = pb.SettleRun(ids=ids)
    fill(run, words)
    return pb.ConsumeRequest(settle=pb.Settle(runs=[run]))


def fill(run, words):
    if words[0] == "ack" or (words[0] == "reject" and FAULT == "acks-rejected"):
        run.ack.SetInParent()
    elif words[0] == "reject":
        reason = words[1] if len(words) > 1 and FAULT != "no-reason" else ""
        run.term.reason = reason.encode()[:1024].decode(errors="ignore")
    elif words[0] == "progress":
        run.in_progress.SetInParent()
    else:
        run.nak.SetInParent()
        if words[0] == "retry" and FAULT != "no-delay":
            run.nak.delay.CopyFrom(duration(float(words[1])))


class Message:
    """One attempt, and who waits for its verdict."""

    def __init__(self, delivery, owner):
        self.delivery, self.owner = delivery, owner
        self.id = delivery.id  # of the current stream; None: nobody waits
        self.started = False
        self.verdict = None
        self.let_go = queue.Queue()  # steps to go on with; None: cancelled
        self.cancelled = False

    @property
    def identity(self):
        return self.delivery.stream_sequence, self.delivery.timestamp.ToNanoseconds()

    @property
    def header(self):
        return {header.name: header.value for header in reversed(self.delivery.headers)}

    def key(self, option):
        if not option:
            return self.delivery.key or None
        return self.delivery.subject if option == "subject" else self.header.get(option.split(":", 1)[1].encode(), b"")

    def cancel(self, name):
        if not self.cancelled:
            self.cancelled = True
            if self.started:
                tell("cancelled", **{"as": name, "sequence": self.delivery.stream_sequence})
            self.let_go.put(None)


def begin(name, message, key):
    one = message.delivery
    data = one.data[:-1] if FAULT == "cuts-data" else one.data
    headers = one.headers[1:] if FAULT == "drops-header" else one.headers
    fields = {"data": text(data)} if len(data) <= 1024 else {}
    tell("begin", **{"as": name}, sequence=one.stream_sequence, consumer_sequence=one.consumer_sequence,
         num_delivered=one.num_delivered, num_pending=one.num_pending, timestamp_ns=one.timestamp.ToNanoseconds(),
         subject=text(one.subject), headers=[[text(header.name), text(header.value)] for header in headers],
         key=text(key or b""), size=len(data), crc32=zlib.crc32(data), time_ns=time.time_ns(), **fields)


def work(name, message, option, settled):
    """What its script says. `settled(words)` gives a verdict, and says whether it counted."""
    sequence = message.delivery.stream_sequence
    begin(name, message, message.key(option))
    _attempts[sequence] += 1
    parts = message.header.get(b"Script", b"ack").decode().split("|")
    steps = parts[min(_attempts[sequence], len(parts)) - 1].split(",")
    if FAULT == "acks-early":
        settled(["ack"])
    words, second = ["ack"], {}
    for step in steps:
        step = step.split(" ", 1)
        if step[0] == "sleep":
            time.sleep(float(step[1]) / 1000)
        elif step[0] == "progress":
            message.owner.progress(message)
        elif step[0] == "hold":
            words = (message.let_go.get() or "ack").split(",")[-1].split(" ", 1)
        elif step[0] == "again":
            settled(words)
            second = {"second": settled(["nak"]) or FAULT == "second-counts"}
        else:
            words = step
    tell("end", **{"as": name}, sequence=sequence, verdict=words[0], cancelled=message.cancelled, time_ns=time.time_ns(), **second)
    settled(["nak"] if words[0] == "forget" else words)


def connect():
    limit = [] if FAULT == "small-messages" else [("grpc.max_receive_message_length", -1)]
    return grpc.insecure_channel(ADDRESS, [*limit, ("grpc.use_local_subchannel_pool", 1)])


class Consumption:
    def __init__(self, name, command):
        self.name, self.consumer = name, command["consumer"]
        self.style, self.options = command["style"], command.get("options", {})
        self.concurrency = self.options.get("concurrency", 1) + (FAULT == "one-too-many")
        self.lock = threading.Condition()
        self.waiting, self.running, self.given, self.in_doubt = [], [], [], {}
        self.stats = collections.Counter({name: 0 for name in ("received acked naked terminated thrown in_flight streams lost "
                                                               "refused rejoined late not_held failed").split()})
        self.outgoing, self.wish, self.closed, self.report, self.left = None, "serve", False, None, self.options.get("break_after")
        self.drain_timeout_ms, self.connected = None, False
        for _ in range(self.concurrency):
            threading.Thread(target=self.handle, daemon=True).start()
        threading.Thread(target=self.serve, daemon=True).start()

    # The stream

    def serve(self):
        code, message = "OK", ""
        while True:
            tell("state", **{"as": self.name}, state="CONNECTING", detail="")
            error = self.stream()
            with self.lock:
                self.connected = False
                if error and error.code() in PERMANENT:
                    code, message = error.code().name, error.details()
                    break
                if self.wish == "stop" or (self.wish == "drain" and (self.report or not self.stats["streams"])):
                    break
                self.lock.wait_for(lambda: self.wish != "serve", 0.05)
        with self.lock:
            for one in self.running:
                one.cancel(self.name)
        if message:
            tell("error", **{"as": self.name}, message=message)
        tell("state", **{"as": self.name}, state="CLOSED", detail=message)
        tell("closed", **{"as": self.name}, code=code, message=message)
        with self.lock:
            self.closed = True
            self.lock.notify_all()

    def stream(self):
        with self.lock:
            self.outgoing = queue.Queue()
            self.outgoing.put(pb.ConsumeRequest(open=self.open()))
            self.connected = False
        channel = connect()  # anew each time: no back-off of an earlier one
        call = channel.stream_stream(SERVICE + "Consume", pb.ConsumeRequest.SerializeToString, pb.ConsumeResponse.FromString)(
            iter(self.outgoing.get, None))
        try:
            for response in call:
                with self.lock:
                    getattr(self, "on_" + response.WhichOneof("kind"))(getattr(response, response.WhichOneof("kind")))
                    self.lock.notify_all()
        except grpc.RpcError as error:
            return error
        finally:
            self.outgoing.put(None)
            channel.close()
        return None

    def open(self):
        resume = []
        if FAULT != "resumes-nothing":
            resumable = self.options.get("resumable", True)
            for one in [*self.running, *self.waiting]:
                if one.id is not None:
                    resume.append(pb.Held(id=one.id, token=one.delivery.token if resumable else b""))
            for one in self.given:
                resume.append(pb.Held(id=one.id, token=one.delivery.token if resumable and one.verdict[0] == "ack" else b""))
        credit = self.options.get("credit_messages") or max(8, 4 * self.concurrency)
        if FAULT == "takes-all":
            credit = 256
        return pb.Open(consumer=self.consumer, client_id=self.options.get("client_id") or f"double-{os.getpid()}-{self.name}",
                       credit=pb.Credit(messages=credit if self.wish == "serve" else 0, bytes=self.options.get("credit_bytes", 0)),
                       max_batch=self.options.get("max_batch", 0), confirm_settlements=self.options.get("confirm", False),
                       resumable=self.options.get("resumable", True), resume=resume)

    def on_opened(self, opened):
        self.connected = True
        self.stats["streams"] += 1
        resumed = {one.held_id: one.id for one in opened.resumed}
        for one in [*self.running, *self.waiting]:
            if one.id is not None:
                one.id = resumed.get(one.id)
                if one.id is None and one.started:
                    one.cancel(self.name)
        self.waiting = [one for one in self.waiting if one.id is not None]
        given, self.given = self.given, []
        for one in given:
            if one.id in resumed:
                one.id = resumed[one.id]
                self.send(one)
            if one.verdict[0] in ("ack", "reject"):
                self.in_doubt[one.identity] = one.verdict
        if self.wish == "drain":
            self.send_drain()
        elif self.wish == "stop":
            self.outgoing.put(None)

    def on_deliveries(self, deliveries):
        for delivery in deliveries.deliveries:
            one = Message(delivery, self)
            if self.rejoin(one):
                self.stats["rejoined"] += 1
                continue
            self.stats["received"] += 1
            if self.left == 0:
                self.outgoing.put(settle([one.id], ["nak"]))  # nobody is in the loop any more
            else:
                self.waiting.append(one)

    def rejoin(self, new):
        if new.delivery.num_delivered < 2 or FAULT == "handles-redelivered":
            return False
        for one in self.running:
            if one.id is None and one.identity == new.identity and not one.verdict:
                one.id, one.delivery.token = new.id, new.delivery.token
                return True
        if new.identity in self.in_doubt:
            self.outgoing.put(settle([new.id], self.in_doubt[new.identity]))
            return True
        return False

    def on_settle_results(self, results):
        for result in results.results:
            outcome = pb.SettleResult.Outcome.Name(result.outcome).replace("OUTCOME_", "")
            self.stats[{"LATE": "late", "NOT_HELD": "not_held", "FAILED": "failed"}.get(outcome, "")] += len(result.ids)
            for id in result.ids if self.options.get("confirm") else ():
                for one in self.given:
                    if one.id == id:
                        tell("result", **{"as": self.name}, sequence=one.delivery.stream_sequence, outcome=outcome)

    def on_state(self, state):
        tell("state", **{"as": self.name}, state=pb.State.Kind.Name(state.kind).replace("KIND_", ""), detail=state.detail)

    def on_leases_ended(self, ended):
        for one in [*self.running, *self.waiting]:
            if one.id in ended.ids:
                one.cancel(self.name)
        self.waiting = [one for one in self.waiting if one.id not in ended.ids]

    def on_draining(self, draining):
        tell("draining", **{"as": self.name}, by_daemon=draining.reason == pb.Draining.REASON_DAEMON)
        if self.wish == "drain" and draining.HasField("deadline"):
            left = draining.deadline.ToNanoseconds() / 1e9 - time.time()
            threading.Timer(max(0, left), self.cancel_all).start()

    def cancel_all(self):
        with self.lock:
            for one in self.running:
                one.cancel(self.name)

    def on_drained(self, drained):
        if self.wish != "serve":
            self.report = drained.report
        self.waiting = []
        for one in self.running:
            one.cancel(self.name)

    # The handlers

    def handle(self):
        while True:
            with self.lock:
                self.lock.wait_for(lambda: self.next() or self.closed)
                if self.closed:
                    return
                one = self.next()
                self.waiting.remove(one)
                if FAULT == "loses" and one.delivery.stream_sequence == 3:
                    one.verdict = ["ack"]
                    self.send(one)
                    continue
                one.started = True
                self.running.append(one)
            try:
                for _ in range(2 if FAULT == "handles-twice" else 1):
                    work(self.name, one, self.options.get("key"), lambda words: self.settle(one, words))
            except Exception:
                traceback.print_exc()
            with self.lock:
                self.running.remove(one)
                if self.left is not None:
                    self.left -= 1
                    if self.left == 0:
                        self.drain(None)
                self.lock.notify_all()

    def next(self):
        if self.wish == "stop" or not self.connected or self.left == 0:
            return None
        keys = {one.key(self.options.get("key")) for one in self.running}
        for one in self.waiting:
            key = one.key(self.options.get("key"))
            if key is None or key not in keys or FAULT == "mixes-keys":
                return one
        return None

    def settle(self, one, words):
        with self.lock:
            if one.verdict:
                return False
            one.verdict = words
            self.stats[{"ack": "acked", "reject": "terminated"}.get(words[0], "naked")] += 1
            self.stats["thrown"] += words[0] == "throw"
            if words[0] == "throw":
                tell("error", **{"as": self.name}, message="a handler threw")
            if one.id is not None:
                self.given.append(one)
                if FAULT != "forgets-verdicts" or one.delivery.stream_sequence != 2:
                    self.send(one)
            elif words[0] in ("ack", "reject"):
                self.in_doubt[one.identity] = words
            return True

    def send(self, one):
        if self.connected:
            self.outgoing.put(settle([one.id], one.verdict))

    def progress(self, one):
        with self.lock:
            if self.connected and one.id is not None and FAULT != "no-progress":
                self.outgoing.put(settle([one.id], ["progress"]))

    # The commands

    def drain(self, timeout_ms):
        with self.lock:
            if FAULT == "ignores-drain":
                return
            self.wish, self.drain_timeout_ms = "drain", timeout_ms
            if self.connected:
                self.send_drain()
            self.lock.notify_all()

    def send_drain(self):
        if self.options.get("hand_back") or self.left == 0 or FAULT == "hands-back":
            for one in self.waiting:
                self.outgoing.put(settle([one.id], ["nak"]))
            self.waiting = []
        request = pb.ConsumeRequest()
        request.drain.SetInParent()
        if self.drain_timeout_ms is not None:
            request.drain.timeout.CopyFrom(duration(self.drain_timeout_ms))
        self.outgoing.put(request)

    def drained(self):
        """Waits for the end, and tells it."""
        with self.lock:
            self.lock.wait_for(lambda: self.closed)
        fields = "awaited acked terminated naked expired late released unsettled dead_lettered deadline_exceeded".split()
        report = {field: getattr(self.report, field) if self.report else 0 for field in fields}
        report["completed"] = self.report is not None
        tell("drained", **{"as": self.name}, report=report)
        return report["completed"]

    def stop(self):
        if FAULT == "ignores-stop":
            return
        with self.lock:
            self.wish, self.waiting = "stop", []
            for one in self.running:
                one.cancel(self.name)
            if self.outgoing:
                self.outgoing.put(None)
            self.lock.notify_all()

    def answer_stats(self):
        with self.lock:
            in_flight = len(self.waiting) + sum(1 for one in self.running if not one.verdict)
            tell("stats", **{"as": self.name}, stats={**self.stats, "in_flight": in_flight})


class Fetcher:
    """On the unary calls."""

    def __init__(self, name, command):
        self.channel, self.name, self.consumer = connect(), name, command["consumer"]
        self.key = command.get("options", {}).get("key")

    def fetch(self, n, max_wait_ms):
        call = self.channel.unary_unary(SERVICE + "Fetch", pb.FetchRequest.SerializeToString, pb.FetchResponse.FromString)
        response = call(pb.FetchRequest(consumer=self.consumer, batch=n, max_wait=duration(max_wait_ms)))
        for delivery in response.deliveries:
            one = Message(delivery, self)
            work(self.name, one, self.key, lambda words, one=one: self.settle(one, words))
        tell("fetched", **{"as": self.name}, count=len(response.deliveries))

    def settle(self, one, words):
        call = self.channel.unary_unary(SERVICE + "Settle", pb.SettleRequest.SerializeToString, pb.SettleResponse.FromString)
        request = pb.SettleRequest(consumer=self.consumer, tokens=[one.delivery.token])
        fill(request, words)
        call(request)
        return True

    def drain(self, timeout_ms):
        pass

    def stop(self):
        pass

    def drained(self):
        tell("drained", **{"as": self.name}, report={"completed": True, "deadline_exceeded": False, "awaited": 0})
        tell("closed", **{"as": self.name}, code="OK", message="")


def background(function, *arguments):
    threading.Thread(target=function, args=arguments, daemon=True).start()


def run_until_signal(consumption):
    """SIGTERM and SIGINT drain; then the process ends."""
    def drain():
        consumption.drain(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: background(drain))

    def wait():
        os._exit(0 if consumption.drained() else 1)

    background(wait)


def perform(consumptions, command):
    name, do = command.get("as", "a"), command["do"]
    if do == "consume":
        kind = Fetcher if command["style"] == "fetch" else Consumption
        consumptions[name] = kind(name, command)
        return
    if do == "release":
        for one in [one for each in consumptions.values() for one in getattr(each, "running", ())]:
            if one.delivery.stream_sequence == command["sequence"]:
                one.let_go.put(command.get("steps", "ack"))
        return
    consumption = consumptions[name]
    if do == "drain":
        consumption.drain(command.get("timeout_ms"))
        background(consumption.drained)
    elif do == "fetch":
        background(consumption.fetch, command["n"], command["max_wait_ms"])
    elif do == "stop":
        consumption.stop()
    elif do == "stats":
        consumption.answer_stats()
    elif do == "run":
        run_until_signal(consumption)


def main():
    consumptions = {}
    tell("ready")
    if FAULT == "chatters":
        print("hello", flush=True)
    for line in sys.stdin:
        perform(consumptions, json.loads(line))
    for consumption in consumptions.values():
        consumption.stop()
    for consumption in consumptions.values():
        if isinstance(consumption, Consumption):
            with consumption.lock:
                consumption.lock.wait_for(lambda one=consumption: one.closed and not one.running, 5)
    time.sleep(60 if FAULT == "never-ends" else 0)
    sys.stdout.flush()
    os._exit(3 if FAULT == "exits-3" else 0)


main()
