"""When the containers of a pod ended, as the API server tells: milliseconds from the first word of its deletion."""

import json
import threading
import time


class Timeline:
    def __init__(self, kube, selector):
        self._process = kube.popen("get", "pods", "-l", selector, "--watch", "--output-watch-events", "-o", "json")
        self.pods = {}  # name -> {"deletion": s, "app": (s, exit code), "sluice": (s, exit code), "gone": s}
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        decoder, buffer = json.JSONDecoder(), ""
        for line in self._process.stdout:
            buffer += line
            try:
                event, end = decoder.raw_decode(buffer.lstrip())
            except json.JSONDecodeError:
                continue
            buffer = buffer.lstrip()[end:]
            self._note(event["type"], event["object"])

    def _note(self, kind, pod):
        now = time.time()
        seen = self.pods.setdefault(pod["metadata"]["name"], {})
        if "deletionTimestamp" in pod["metadata"]:
            seen.setdefault("deletion", now)
        status = pod.get("status", {})
        for container in status.get("containerStatuses", []) + status.get("initContainerStatuses", []):
            if ended := container["state"].get("terminated"):
                seen.setdefault(container["name"], (now, ended["exitCode"]))
                if container["name"] == "sluice":
                    seen["report"] = ended.get("message", "")
        if kind == "DELETED":
            seen["gone"] = now

    def ended(self):
        """Of each pod that is gone: ms until the app ended, until the sidecar did, until the pod was gone; exit codes."""
        rows = []
        for name, seen in list(self.pods.items()):
            if "gone" in seen and "deletion" in seen:
                row = {"pod": name, "gone_ms": round(1000 * (seen["gone"] - seen["deletion"]))}
                for container in ("app", "sluice"):
                    at, code = seen.get(container, (None, None))
                    row[f"{container}_ms"] = None if at is None else max(0, round(1000 * (at - seen["deletion"])))
                    row[f"{container}_exit"] = code
                rows.append(row)
        return rows

    def close(self):
        self._process.kill()
        self._process.wait()
        self._thread.join(5)
