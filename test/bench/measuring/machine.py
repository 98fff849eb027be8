"""The machine: what it is, and what else used it."""

import os
import pathlib
import platform
import resource
import subprocess
import time

SPOILED = 0.2  # cores that others took


class Others:
    """How much of the machine other programs took, in cores, since the last question.

    All that runs but this process and its children; steal counts, and so does what the kernel does for the network.
    Children count when they have ended, so ask when none of them runs.
    """

    def __init__(self):
        self.last = self.now()

    @staticmethod
    def now():
        fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        busy = (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")  # all but idle and iowait
        own = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return time.monotonic(), busy - own

    def cores(self):
        then, self.last = self.last, self.now()
        return max(0.0, (self.last[1] - then[1]) / max(1e-9, self.last[0] - then[0]))


def describe():
    """A line for people."""
    cpu = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")),
               platform.machine())
    memory = next(int(line.split()[1]) for line in pathlib.Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal:"))
    return f"{cpu}, {os.cpu_count()} cores, {memory / 2**20:.0f} GiB, Linux {platform.release().split('-')[0]}"


def cpu_seconds(pid):
    """CPU time of a process so far, of all its threads, by the kernel's clock of it (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


def commit():
    asked = subprocess.run(["git", "-C", pathlib.Path(__file__).parent, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return asked.stdout.strip() or "unknown"
