"""When the containers of a pod ended, as the API server tells: milliseconds from the first word of its deletion."""

import datetime
import json
import threading
import time

KILLED = 137  # the exit code of SIGKILL


class Timeline:
    """Of all pods with a label, from now on."""

    def __init__(self, kube, selector):
        self._process = kube.popen("get", "pods", "-l", selector, "--watch", "--output-watch-events", "-o", "json")
        # name -> {"deletion": s, "gone": s, "app": {"at": s, "finished": s, "code"}, "sluice": likewise, "restarts"}
        self.pods = {}
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        lines = []
        for line in self._process.stdout:
            lines.append(line)
            if line.startswith("}"):  # the end of an event, as kubectl indents it
                event, lines = json.loads("".join(lines)), []
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
                seen.setdefault(container["name"], {"at": now, "finished": finished, "code": ended["exitCode"]})
        if kind == "DELETED":
            seen["gone"] = now
        self.pods[pod["metadata"]["name"]] = seen

    def is_complete(self):
        """Whether every pod that was to end is gone."""
        return all("gone" in seen for seen in list(self.pods.values()) if "deletion" in seen)

    def ended(self):
        """Of each pod that is gone: ms from its deletion until the app had ended, from then until the sidecar had, and until the pod was gone; exit codes."""
        rows = []
        for name, seen in list(self.pods.items()):
            if "gone" not in seen:
                continue
            app, sluice = seen.get("app"), seen.get("sluice")
            rows.append({
                "pod": name, "gone_ms": ms(seen["deletion"], seen["gone"]),
                # A Job's pod ends before it is deleted.
                "app_ms": ms(seen["deletion"], app["at"]) if app and app["at"] >= seen["deletion"] else None,
                "sidecar_ms": max(0, ms(app["at"], sluice["at"])) if app and sluice else None,
                "app_exit": app and app["code"], "sluice_exit": sluice and sluice["code"]})
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


def ms(begin, end):
    return round(1000 * (end - begin))
