"""Where the daemon's instructions go, by callgrind: the same each time, whatever else the machine does. What the kernel does
for it is not counted."""

import collections
import contextlib
import pathlib
import re
import subprocess

from measuring.processes import Server, last_json, run
from measuring.world import CREDIT

PLACES = (  # the first that matches the function, or else the object file, says where an instruction belongs
    ("the stub upstream itself", r"sluice::bench::"),
    ("core: deliveries, leases, verdicts", r"sluice::core::|sluice::base::Intrusive|absl::.*Duration|absl::.*Time\b|__u?divti3"),
    ("loop, mailbox, timers", r"sluice::base::|std::condition_variable|pthread_|__lll_|absl::.*Mutex"),
    ("sealing tokens", r"sluice::token::|libcrypto"),
    ("JetStream room: ack subjects, pulls", r"sluice::jetstream::"),
    ("frames out: conversion, protobuf", r"sluice::v1::Deliver|sluice::v1::ConsumeResponse|sluice::rpc::WriteFrame|sluice::rpc::ToProto|sluice::rpc::ConsumeStream::Write|google::protobuf::Timestamp|EpsCopyOutputStream|GrpcProtoBufferWriter|ProtoBufferWriter"),
    ("verdicts in: parsing", r"sluice::v1::Settle|sluice::v1::ConsumeRequest|sluice::rpc::ReadSettle|ParseContext|EpsCopyInputStream|VarintParse|ReadPackedVarint|ProtoBufferReader"),
    ("rpc: streams", r"sluice::rpc::"),
    ("allocating", r"malloc|free\b|_int_|operator new|operator delete|calloc|realloc|cfree"),
    ("copying", r"memcpy|memmove|memset|__mem|memcmp|strlen|memchr|basic_string<.*::assign"),
    ("cnats", r"libnats"),
    ("gRPC", r"libgrpc|libgpr|libaddress_sorting|libupb|grpc_|grpc::|absl::"),
    ("protobuf", r"libprotobuf|google::protobuf"),
)


def self_costs(text):
    """{(object file, function): instructions of its own} of a callgrind.out file."""
    names = {"ob": {}, "fn": {}}
    at = {"ob": "", "fn": ""}
    costs = collections.Counter()
    skip = False
    for line in text.splitlines():
        if match := re.match(r"(ob|fn)=\((\d+)\)(?: (.*))?$", line):
            kind, number, name = match.groups()
            if name is not None:
                names[kind][number] = name
            at[kind] = names[kind].get(number, "")
        elif match := re.match(r"c(?:ob|fn)=\((\d+)\) (.*)$", line):
            names["ob" if line.startswith("cob") else "fn"][match[1]] = match[2]
        elif line.startswith("calls="):
            skip = True  # the next line is what the callee cost
        elif re.match(r"[+\-*\d]", line):
            if not skip:
                parts = line.split()
                if len(parts) > 1:
                    costs[at["ob"], at["fn"]] += int(parts[1])
            skip = False
    return costs


def place_of(obj, function):
    name = function.replace("(anonymous namespace)", "").split("(")[0]  # its arguments do not say where it belongs
    for place, pattern in PLACES:
        if re.search(pattern, name) or re.search(pattern, pathlib.Path(obj).name):
            return place
    return "other"


def counted(world, start, style, count, *flags):
    """The instructions of a daemon that `start(prefix, ends)` starts under valgrind, for `count` messages and its life."""
    out = world.folder / "callgrind.out"
    prefix = ["valgrind", "--tool=callgrind", "--fair-sched=yes", f"--callgrind-out-file={out}", "-q"]
    with contextlib.ExitStack() as ends:
        server, address = start(prefix, ends)
        last_json(run([world.program("bench_app"), address, style, count, CREDIT, *flags]))
    return self_costs(out.read_text())


def stub(world):
    def start(prefix, ends):
        server = Server([*prefix, world.program("bench_stub_daemon"), world.socket, 128])
        ends.callback(server.stop)
        return server, f"unix:{world.socket}"

    return start


def per_message(world, start, style="bare", count=60_000, flags=()):
    """{(object file, function): instructions for each message}: of a long run less a short one, so without start and end."""
    short = counted(world, start, style, count // 3, *flags)
    costs = counted(world, start, style, count + count // 3, *flags)
    costs.subtract(short)
    return {key: cost / count for key, cost in costs.items() if cost > 0}


def by_place(costs):
    places = collections.Counter()
    for (obj, function), cost in costs.items():
        places[place_of(obj, function)] += cost
    return places.most_common()


def valgrind_is_there():
    return subprocess.run(["valgrind", "--version"], capture_output=True).returncode == 0
