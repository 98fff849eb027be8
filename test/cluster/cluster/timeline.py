"""When the containers of a pod ended, as the API server tells: milliseconds from the first word of its deletion."""

import datetime
import json
import re
import threading
import time

KILLED = 137  # the exit code of SIGKILL


class Timeline:
    """Of all pods with a label, from now on."""

    def __init__(self, kube, selector):
        self._process = kube.popen("get", "pods", "-l", selector, "--watch", "--output-watch-events", "-o", "json")
        # name -> {"deletion": s, "gone": s, "app": {"at": s, "finished": s, "code", "message"}, "sluice": likewise, "restarts"}
        self.pods = {}
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for event in events(self._process.stdout):
            self.note(event["type"], event["object"], time.time())

    def note(self, kind, pod, now):
        seen = dict(self.pods.get(pod["metadata"]["name"], {}))
        if "deletionTimestamp" in pod["metadata"] or kind == "DELETED":
            seen.setdefault("deletion", now)
        status = pod.get("status", {})
        containers = status.get("containerStatuses", []) + status.get("initContainerStatuses", [])
        seen["restarts"] = sum(each.get("restartCount", 0) for each in containers)
        for container in containers:
            if ended := container["state"].get("terminated"):
                finished = datetime.datetime.fromisoformat(ended["finishedAt"].replace("Z", "+00:00")).timestamp() if ended.get("finishedAt") else now
                seen.setdefault(container["name"], {"at": now, "finished": finished, "code": ended["exitCode"],
                                                     "message": ended.get("message", "")})
        if kind == "DELETED":
            seen["gone"] = now
        self.pods[pod["metadata"]["name"]] = seen

    def is_complete(self):
        """Whether every pod that was to end is gone."""
        return all("gone" in seen for seen in list(self.pods.values()) if "deletion" in seen)

    def ended(self):
        """Of each pod that is gone: ms from its deletion until the app had ended, and until the pod was gone; how long the drain took by the daemon's own
        report; exit codes."""
        rows = []
        for name, seen in list(self.pods.items()):
            if "gone" not in seen:
                continue
            app, sluice = seen.get("app"), seen.get("sluice")
            rows.append({
                "pod": name, "gone_ms": ms(seen["deletion"], seen["gone"]),
                # A Job's pod ends before it is deleted.
                "app_ms": ms(seen["deletion"], app["at"]) if app and app["at"] >= seen["deletion"] else None,
                "drain_ms": took_ms(sluice["message"]) if sluice else None,
                "app_exit": app and app["code"], "sluice_exit": sluice and sluice["code"],
                "report": sluice and sluice["message"].strip()})
        return rows

    def restarts(self):
        return sum(seen.get("restarts", 0) for seen in list(self.pods.values()))

    def kills(self):
        """When containers got SIGKILL: seconds of Unix time, between which it was. The API server has whole ones."""
        ends = [each for seen in list(self.pods.values()) for each in (seen.get("app"), seen.get("sluice")) if each and each["code"] == KILLED]
        return [at for each in ends for at in (each["finished"], each["finished"] + 1)]

    def close(self):
        self._process.kill()
        self._process.wait()
        self._thread.join(5)


def took_ms(report):
    """Of the last words of a daemon, as in `drained: awaited=3 ... took=1m2.5s`; None: it left none."""
    found = re.search(r" took=(\S+)", report)
    if not found:
        return None
    units = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1, "us": 0.001, "ns": 0.000001}
    return round(sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)(ms|us|ns|h|m|s)", found[1])))


def events(lines):
    """What kubectl prints: each in a line, or indented over several, by its version."""
    text = ""
    for line in lines:
        text += line
        if line.startswith("}") or (text == line and line.rstrip().endswith("}")):
            yield json.loads(text)
            text = ""


def ms(begin, end):
    return round(1000 * (end - begin))
