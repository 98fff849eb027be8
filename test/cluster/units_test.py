"""What the cluster test would see, it sees."""

import io
import json
import pathlib
import sys
import tarfile
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(TESTS / "cluster"), str(TESTS / "conformance"), str(TESTS / "storm")]

from cluster import image, nats  # noqa: E402
from cluster.kube import KubeError  # noqa: E402
from cluster.main import faults  # noqa: E402
from cluster.timeline import Timeline, events, took_ms  # noqa: E402


class Fed(Timeline):
    """Told by the test, instead of by kubectl."""

    def __init__(self):
        self.pods = {}


REPORT = "drained: awaited=3 acked=3 deadline_exceeded=no took=1m2.5s"


def pod(name="a", deleted=False, restarts=0, **ended):
    def container(which):
        state = {"terminated": {"exitCode": ended[which], "finishedAt": "2026-01-01T00:00:10Z", "message": REPORT + "\n"}} if which in ended else {"running": {}}
        return {"name": which, "state": state, "restartCount": restarts}
    metadata = {"name": name, **({"deletionTimestamp": "2026-01-01T00:00:30Z"} if deleted else {})}
    return {"metadata": metadata, "status": {"containerStatuses": [container("app")], "initContainerStatuses": [container("sluice")]}}


class TimelineTest(unittest.TestCase):
    def test_an_end(self):
        timeline = Fed()
        timeline.note("ADDED", pod(), 1)
        timeline.note("MODIFIED", pod(deleted=True), 2)
        self.assertFalse(timeline.is_complete())
        timeline.note("MODIFIED", pod(deleted=True, app=0), 2.5)
        timeline.note("MODIFIED", pod(deleted=True, app=0, sluice=0), 2.6)
        timeline.note("DELETED", pod(deleted=True, app=0, sluice=0), 3)
        self.assertTrue(timeline.is_complete())
        self.assertEqual(timeline.ended(), [{"pod": "a", "gone_ms": 1000, "app_ms": 500, "drain_ms": 62500, "app_exit": 0, "sluice_exit": 0,
                                             "report": REPORT}])
        self.assertEqual((timeline.restarts(), timeline.kills()), (0, []))

    def test_a_job_s_pod_ends_before_it_is_deleted(self):
        timeline = Fed()
        timeline.note("MODIFIED", pod(app=0), 1)
        timeline.note("MODIFIED", pod(app=0, sluice=0), 1.25)
        timeline.note("DELETED", pod(app=0, sluice=0), 9)
        self.assertEqual(timeline.ended(), [{"pod": "a", "gone_ms": 0, "app_ms": None, "drain_ms": 62500, "app_exit": 0, "sluice_exit": 0,
                                             "report": REPORT}])

    def test_events_in_a_line_or_in_several(self):
        told = [{"type": "ADDED", "object": {"a": {"b": 1}}}, {"type": "DELETED", "object": {}}]
        for indent in (None, 4):
            text = "".join(json.dumps(each, indent=indent) + "\n" for each in told)
            self.assertEqual(list(events(text.splitlines(keepends=True))), told)

    def test_how_long_a_drain_took(self):
        for text, wanted in [("0", 0), ("1.5ms", 2), ("250us", 0), ("9.25s", 9250), ("1h2s", 3602000)]:
            self.assertEqual(took_ms(f"drained: awaited=1 took={text}\n"), wanted)
        self.assertIsNone(took_ms(""))

    def test_restarts_and_kills(self):
        timeline = Fed()
        timeline.note("MODIFIED", pod(deleted=True, restarts=1, app=137, sluice=0), 1)
        self.assertEqual(timeline.restarts(), 2)
        self.assertEqual(timeline.kills(), [1767225610, 1767225611])


class FaultsTest(unittest.TestCase):
    GOOD = {"lost": 0, "twice": 0, "late": 0}
    ENDED = [{"pod": "a", "app_exit": 0, "sluice_exit": 0}]

    def test_none(self):
        self.assertEqual(faults(self.GOOD, 1, self.ENDED, 0, True, False), [])
        self.assertEqual(faults(self.GOOD, 1, [{**self.ENDED[0], "app_exit": 137}], 0, True, True), [])

    def test_each(self):
        for arguments, sentence in [
            (({**self.GOOD, "lost": 2}, 1, self.ENDED, 0, True, False), "2 lost"),
            (({**self.GOOD, "twice": 1}, 1, self.ENDED, 0, True, True), "1 twice"),
            (({**self.GOOD, "late": 1}, 1, self.ENDED, 0, True, False), "1 late"),
            ((self.GOOD, 2, self.ENDED, 0, True, False), "1 pods ended, not 2"),
            ((self.GOOD, 1, self.ENDED, 3, True, False), "restarted 3 times"),
            ((self.GOOD, 1, self.ENDED, 0, False, False), "nobody has acked"),
            ((self.GOOD, 1, [{**self.ENDED[0], "sluice_exit": 75}], 0, True, True), "the sidecar's 75"),
            ((self.GOOD, 1, [{**self.ENDED[0], "app_exit": 137}], 0, True, False), "the app's exit code was 137"),
        ]:
            with self.subTest(sentence):
                [found] = faults(*arguments)
                self.assertIn(sentence, found)


def entry(mode=0o644, kind=tarfile.REGTYPE):
    each = tarfile.TarInfo()
    each.mode, each.type = mode, kind
    return each


class ImageTest(unittest.TestCase):
    CONFIG = {"User": "65532:65532", "Entrypoint": ["/usr/bin/sluice"], "Healthcheck": {"Test": ["CMD", "/usr/bin/sluice", "healthcheck"]},
              "Labels": {f"org.opencontainers.image.{name}": "x" for name in ("title", "licenses", "source", "version", "revision")}}
    PACKAGES = ["sluice", "libc6", "ca-certificates"]
    FILES = {image.PROGRAM: entry(0o755), "lib/libc.so.6": entry(0o755), "tmp": entry(0o1777, tarfile.DIRTYPE),
             **{f"usr/share/doc/{name}/copyright": entry() for name in PACKAGES}}
    TEXTS = {image.SBOM: json.dumps({"packages": [{"name": name} for name in PACKAGES]})}

    def test_a_good_one(self):
        self.assertEqual(image.problems(self.CONFIG, self.FILES, self.TEXTS), [])

    def test_each_problem(self):
        for config, files, texts, sentence in [
            ({"User": ""}, {}, {}, "it runs as ''"),
            ({"Entrypoint": ["/bin/sh"]}, {}, {}, "its entry point"),
            ({"Healthcheck": None}, {}, {}, "its health check is None"),
            ({"Labels": {}}, {}, {}, "no label"),
            ({}, {"bin/sh": entry(0o755)}, {}, "bin/sh"),
            ({}, {"etc/passwd": entry(0o666)}, {}, "others may write"),
            ({}, {}, {image.SBOM: None}, "it has no usr/share/sbom"),
            ({}, {}, {image.SBOM: json.dumps({"packages": [{"name": name} for name in ("sluice", "libc6", "libx")]})}, "['libx']"),
        ]:
            with self.subTest(sentence):
                texts = {key: value for key, value in {**self.TEXTS, **texts}.items() if value}
                found = image.problems({**self.CONFIG, **config}, {**self.FILES, **files}, texts)
                self.assertTrue(found)
                for each in found:
                    self.assertIn(sentence, each)


    def test_an_archive(self):
        def add(archive, name, content):
            each = tarfile.TarInfo(name)
            each.size = len(content)
            archive.addfile(each, io.BytesIO(content))
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as inner:
            add(inner, "./bin/sh", b"")
        with tempfile.NamedTemporaryFile(suffix=".tar") as file:
            with tarfile.open(fileobj=file, mode="w") as outer:
                add(outer, "manifest.json", json.dumps([{"Config": "c.json", "RepoTags": ["local/sluice:1"], "Layers": ["l.tar"]}]).encode())
                add(outer, "c.json", json.dumps({"config": self.CONFIG}).encode())
                add(outer, "l.tar", layer.getvalue())
            file.flush()
            self.assertFalse(image.check(file.name, "docker.io/local/other:1"))
            with self.assertRaisesRegex(KubeError, "local/sluice:1: its programs are \\[\\]; it has no usr/share/sbom"):
                image.check(file.name, "docker.io/local/sluice:1")


class NatsTest(unittest.TestCase):
    def test_the_configuration_names_each_user(self):
        text = nats.config({"blue": "the \"sky\""})
        self.assertIn(r'{ user: "anybody", password: "anybody" }, { user: "blue", password: "the \"sky\"" }', text)
        self.assertIn("jetstream { store_dir: /data/jetstream }", text)


if __name__ == "__main__":
    unittest.main()
