#!/usr/bin/env python3
"""What the charts render, for every example and every Kubernetes: lint, strict schemas, golden files, refusals, and the docs beside them.

UPDATE=1 writes the golden files and the value tables anew. From the environment: HELM, KUBECONFORM and KUSTOMIZE (programs), KUBE_SCHEMAS (a folder that
schemas.py made), SLUICE_BIN (the daemon).
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHARTS = ROOT / "deploy/helm"
GOLDEN = pathlib.Path(__file__).resolve().parent / "golden"
UPDATE = os.environ.get("UPDATE") == "1"
VERSIONS = os.environ.get("KUBE_VERSIONS", "1.28.15 1.29.14 1.33.13 1.35.4").split()
OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]
SCHEMAS = os.environ.get("KUBE_SCHEMAS", str(ROOT / "build/kube-schemas"))


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)


class Charts(unittest.TestCase):
    """A copy of the charts, so that what `helm dependency` makes stays out of the sources."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.charts = pathlib.Path(cls.folder.name) / "helm"
        shutil.copytree(CHARTS, cls.charts, ignore=shutil.ignore_patterns("charts", "Chart.lock"))
        (cls.charts / "example/charts").mkdir()
        shutil.copytree(cls.charts / "sluice", cls.charts / "example/charts/sluice")
        cls.examples = sorted((CHARTS / "example/ci").glob("*-values.yaml"))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def helm(self, verb, chart, version, *more):
        name = ["golden"] if verb == "template" else []
        return run(os.environ.get("HELM", "helm"), verb, *name, self.charts / chart, "--kube-version", version, *more)

    def rendered(self, chart, version, *more):
        done = self.helm("template", chart, version, *more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def refused(self, version, values):
        """What helm says when it refuses these values of the example."""
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(values, file)
            file.flush()
            done = self.helm("template", "example", version, "--values", file.name)
        self.assertNotEqual(done.returncode, 0, f"was rendered: {values}")
        return done.stderr

    def assert_valid(self, text, version):
        done = run(os.environ.get("KUBECONFORM", "kubeconform"), "-strict", "-summary", "-kubernetes-version", version,
                   "-schema-location", SCHEMAS + "/{{ .NormalizedKubernetesVersion }}-standalone{{ .StrictSuffix }}/{{ .ResourceKind }}{{ .KindSuffix }}.json",
                   "-schema-location", SCHEMAS + "/crds/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json", "-", input=text)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, "Skipped: 0", done.stdout)

    def assert_golden(self, text, name):
        """Compares the objects, not the text: blank lines are helm's own business, and differ by its version."""
        objects = [each for each in yaml.safe_load_all(text) if each]
        text = yaml.safe_dump_all(sorted(objects, key=lambda each: (each["kind"], each["metadata"]["name"])), width=140)
        path = GOLDEN / f"{name}.yaml"
        if UPDATE:
            GOLDEN.mkdir(exist_ok=True)
            path.write_text(text)
        self.assertTrue(path.exists(), f"{path} is missing; make it with UPDATE=1")
        self.assertEqual(text, path.read_text(), f"{path.name} has changed; if that is meant, write it anew with UPDATE=1")


# Jobs in classic mode need the app's help; that they are refused without is in Refusals.
def fits(example, version):
    return not (example.name in ("job-values.yaml", "cronjob-values.yaml") and version == OLDEST)


class Rendering(Charts):
    def test_lint(self):
        for example in self.examples:
            for version in VERSIONS:
                if fits(example, version):
                    with self.subTest(example=example.name, version=version):
                        done = self.helm("lint", "example", version, "--strict", "--values", example)
                        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        done = self.helm("lint", "operations", NEWEST, "--strict")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_objects_are_valid_and_golden(self):
        for example in self.examples:
            for version in VERSIONS:
                if not fits(example, version):
                    continue
                with self.subTest(example=example.name, version=version):
                    text = self.rendered("example", version, "--values", example)
                    self.assert_valid(text, version)
                    mode = "classic" if version == OLDEST else "native"
                    self.assert_golden(text, f"{example.name.removesuffix('-values.yaml')}-{mode}")

    def test_operations_are_valid_and_golden(self):
        for version in VERSIONS:
            text = self.rendered("operations", version)
            self.assert_valid(text, version)
            self.assert_golden(text, "operations")

    def test_the_daemon_takes_the_configuration(self):
        daemon = os.environ.get("SLUICE_BIN", ROOT / "build/release/sluice")
        for example in self.examples:
            with self.subTest(example=example.name), tempfile.TemporaryDirectory() as folder:
                objects = [each for each in yaml.safe_load_all(self.rendered("example", NEWEST, "--values", example)) if each]
                config = next(each for each in objects if each["kind"] == "ConfigMap")["data"]["sluice.yaml"]
                for file in re.findall(r"/etc/sluice-(?:login|tls)/(\S+)", config):
                    (pathlib.Path(folder) / file).write_text("secret")
                config = re.sub(r"/etc/sluice-(login|tls)/", folder + "/", config)
                (pathlib.Path(folder) / "sluice.yaml").write_text(config)
                done = run(daemon, "config", "check", "--config", f"{folder}/sluice.yaml")
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_workload_keeps_what_it_says_itself(self):
        deployment = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: own}
spec:
  selector: {matchLabels: {app: own}}
  template:
    metadata: {labels: {app: own}, annotations: {mine: "yes"}}
    spec:
      terminationGracePeriodSeconds: 90
      automountServiceAccountToken: true
      securityContext: {fsGroup: 1234, supplementalGroups: [7]}
      topologySpreadConstraints: [{maxSkew: 2, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]
      initContainers: [{name: first, image: first}]
      containers:
        - {name: app, image: app, env: [{name: SLUICE_ADDRESS, value: "unix:///mine"}], volumeMounts: [{name: data, mountPath: /data}]}
        - {name: other, image: other}
      volumes: [{name: data, emptyDir: {}}]
"""
        chart = self.charts / "example"
        (chart / "templates/own.yaml").write_text(
            "{{- define \"own\" }}" + deployment + "{{- end }}\n{{- include \"sluice.inject\" (list . \"own\" (dict \"containers\" (list \"app\"))) }}\n")
        try:
            objects = [each for each in yaml.safe_load_all(self.rendered("example", NEWEST)) if each]
        finally:
            (chart / "templates/own.yaml").unlink()
        template = next(each for each in objects if each["kind"] == "Deployment" and each["metadata"]["name"] == "own")["spec"]["template"]
        spec = template["spec"]
        self.assertEqual(spec["terminationGracePeriodSeconds"], 90)
        self.assertTrue(spec["automountServiceAccountToken"])
        self.assertEqual(spec["securityContext"]["fsGroup"], 1234)
        self.assertEqual(spec["securityContext"]["supplementalGroups"], [7])
        self.assertEqual(spec["topologySpreadConstraints"][0]["topologyKey"], "zone")
        self.assertEqual([each["name"] for each in spec["initContainers"]], ["sluice", "first"])
        app, other = spec["containers"]
        self.assertEqual(app["env"], [{"name": "SLUICE_ADDRESS", "value": "unix:///mine"}])
        self.assertEqual([each["name"] for each in app["volumeMounts"]], ["data", "sluice-socket"])
        self.assertNotIn("volumeMounts", other)
        self.assertEqual(template["metadata"]["annotations"]["mine"], "yes")
        self.assertIn("data", [each["name"] for each in spec["volumes"]])


class Kustomize(Charts):
    def test_the_component_is_valid_and_golden(self):
        done = run(os.environ.get("KUSTOMIZE", "kustomize"), "build", ROOT / "deploy/kustomize/example")
        self.assertEqual(done.returncode, 0, done.stderr)
        for version in VERSIONS[1:]:
            self.assert_valid(done.stdout, version)
        self.assert_golden(done.stdout, "kustomize")

    def test_it_is_the_chart_s_sidecar(self):
        """What both say of the sidecar is the same, but for what only values can change."""
        def sidecar(text):
            for each in yaml.safe_load_all(text):
                if each and each["kind"] == "Deployment":
                    return each["spec"]["template"]["spec"]["initContainers"][0]
            self.fail("no Deployment")

        component = sidecar(run(os.environ.get("KUSTOMIZE", "kustomize"), "build", ROOT / "deploy/kustomize/example").stdout)
        chart = sidecar(self.rendered("example", NEWEST))
        for key in ("startupProbe", "readinessProbe", "livenessProbe", "lifecycle", "restartPolicy", "args", "ports", "resources", "image"):
            self.assertEqual(component[key], chart[key], key)


class Restricted(Charts):
    """Point by point what PodSecurity `restricted` asks of a pod, on everything that the example renders."""

    def pods(self):
        for example in self.examples:
            for version in VERSIONS:
                if not fits(example, version):
                    continue
                for each in yaml.safe_load_all(self.rendered("example", version, "--values", example)):
                    if each and each["kind"] in ("Deployment", "StatefulSet", "Job"):
                        yield each["spec"]["template"]["spec"]
                    elif each and each["kind"] == "CronJob":
                        yield each["spec"]["jobTemplate"]["spec"]["template"]["spec"]

    def test_restricted(self):
        seen = 0
        for pod in self.pods():
            seen += 1
            self.assertEqual(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault")
            self.assertFalse(pod["automountServiceAccountToken"])
            for key in ("hostNetwork", "hostPID", "hostIPC"):
                self.assertNotIn(key, pod)
            for container in pod["containers"] + pod.get("initContainers", []):
                security = container["securityContext"]
                self.assertTrue(security["runAsNonRoot"])
                self.assertNotEqual(security["runAsUser"], 0)
                self.assertTrue(security["readOnlyRootFilesystem"])
                self.assertFalse(security["allowPrivilegeEscalation"])
                self.assertEqual(security["capabilities"], {"drop": ["ALL"]})
            for volume in pod["volumes"]:
                self.assertTrue({"configMap", "emptyDir", "secret", "projected"} & set(volume), volume)
        self.assertGreater(seen, 20)

    def test_no_secret_in_a_config_map(self):
        for example in self.examples:
            for each in yaml.safe_load_all(self.rendered("example", NEWEST, "--values", example)):
                if each and each["kind"] == "ConfigMap":
                    self.assertEqual({"user", "password", "token"} & set(yaml.safe_load(each["data"]["sluice.yaml"])["nats"]), set())


LOGINS = {
    ("credentialsKey",): ["credentials_file"], ("nkeySeedKey",): ["nkey_seed_file"], ("userKey", "passwordKey"): ["user_file", "password_file"],
    ("tokenKey",): ["token_file"],
}


class Logins(Charts):
    def test_each_is_a_file_that_may_change_under_the_daemon(self):
        for keys, files in LOGINS.items():
            for version in (OLDEST, NEWEST):
                with self.subTest(keys=keys, version=version):
                    sets = [f"sluice.nats.{key}=the-{key}" for key in keys]
                    text = self.rendered("example", version, "--set", ",".join(["sluice.nats.existingSecret=login", *sets]))
                    objects = {each["kind"]: each for each in yaml.safe_load_all(text) if each}
                    nats = yaml.safe_load(objects["ConfigMap"]["data"]["sluice.yaml"])["nats"]
                    self.assertEqual({file: nats.get(file) for file in files},
                                     {file: f"/etc/sluice-login/the-{key}" for file, key in zip(files, keys)})
                    pod = objects["Deployment"]["spec"]["template"]["spec"]
                    sidecar = next(each for each in pod["containers"] + pod.get("initContainers", []) if each["name"] == "sluice")
                    self.assertNotIn("valueFrom", json.dumps(sidecar["env"]))
                    [mount] = [each for each in sidecar["volumeMounts"] if each["name"] == "sluice-login"]
                    self.assertEqual(mount, {"name": "sluice-login", "mountPath": "/etc/sluice-login", "readOnly": True})
                    self.assertIn({"name": "sluice-login", "secret": {"secretName": "login", "defaultMode": 0o440}}, pod["volumes"])


CONSUMER = {"name": "orders", "stream": "ORDERS"}


def sluice(**values):
    return {"sluice": {"consumers": [CONSUMER], **values}}


def exclusive(**settings):
    return sluice(consumers=[{**CONSUMER, "ordering": "exclusive", **settings}])


class Refusals(Charts):
    """What is wrong is refused by name, with a sentence that says what to do."""

    def test_sentences(self):
        for values, sentence in [
            ({"sluice": {"consumers": []}}, "sluice.consumers is empty"),
            ({"sluice": {"nast": {}}}, "nast"),
            ({"sluice": {"nats": {"server": ["nats://nats:4222"]}}}, "server"),
            (sluice(consumers=[{**CONSUMER, "odering": "key"}]), "odering"),
            (sluice(consumers=[{**CONSUMER, "config": {"ackwait": "3s"}}]), "ackwait"),
            (sluice(mode="sidecar"), "mode"),
            (sluice(drain={"timeout": "45"}), "timeout"),
            (sluice(terminationGracePeriodSeconds=51), "the grace period of 51 s is too short: .* need 52 s"),
            ({"terminationGracePeriodSeconds": 30}, "the grace period of 30 s is too short"),
            (sluice(drain={"timeout": "1m30s"}), "need 97 s"),
            (sluice(containers=["app", "ap"]), "names \"ap\", and the pod has app"),
            (sluice(admin={"quit": True}), "sluice.admin.quit is for classic mode"),
            (sluice(nats={"credentialsKey": "a.creds"}), "needs sluice.nats.existingSecret"),
            (sluice(nats={"existingSecret": "login"}), "none of credentialsKey"),
            (sluice(nats={"existingSecret": "login", "credentialsKey": "a", "tokenKey": "b"}), "one way to log in, not credentialsKey and tokenKey"),
            (sluice(nats={"existingSecret": "login", "userKey": "u"}), "userKey and passwordKey go together"),
            (sluice(nats={"tls": {"enabled": True, "existingSecret": "t", "certKey": "c"}}), "certKey and keyKey go together"),
            (sluice(nats={"tls": {"existingSecret": "t"}}), "does nothing without sluice.nats.tls.enabled"),
            (sluice(consumers=[{**CONSUMER, "ordering": "key"}]), "needs key.subject_token or key.header"),
            (exclusive(manage="off"), "exclusive needs the priority settings"),
            (exclusive(pull={"expires": "2s"}), "at least twice pull.expires"),
            (exclusive(config={"ack_wait": "1m"}), "stops the whole fleet for that long"),
            ({"sluice": {**exclusive()["sluice"], "keda": {"enabled": True, "monitoringEndpoint": "n:8222"}}}, "exclusive has one active pod"),
            (sluice(keda={"enabled": True}), "sluice.keda.monitoringEndpoint is empty"),
        ]:
            with self.subTest(values=values):
                self.assertRegex(self.refused(NEWEST, values), sentence)

    def test_before_native_sidecars(self):
        self.assertIn("mode native needs Kubernetes 1.29", self.refused(OLDEST, sluice(mode="native")))
        self.assertIn("would keep the Job from completing", self.refused(OLDEST, {"kind": "Job"}))
        self.assertIn("would keep the Job from completing", self.refused(OLDEST, {"kind": "CronJob"}))

    def test_kinds(self):
        (self.charts / "example/templates/own.yaml").write_text(
            "{{- define \"own\" }}\napiVersion: v1\nkind: Service\nmetadata: {name: own}\n{{- end }}\n{{- include \"sluice.inject\" (list . \"own\") }}\n")
        try:
            self.assertIn("the sidecar goes into a Deployment", self.refused(NEWEST, {}))
        finally:
            (self.charts / "example/templates/own.yaml").unlink()


class Docs(Charts):
    def test_the_consumers_of_the_schema_are_those_of_the_daemon(self):
        keys = set(re.findall(r"^\| `consumers\[\]\.([\w.]+)` \|", (ROOT / "docs/configuration.md").read_text(), re.MULTILINE))
        named = set()

        def walk(node, path):
            for key, each in node.get("properties", {}).items():
                where = f"{path}.{key}" if path else key
                if "properties" in each:
                    walk(each, where)
                else:
                    named.add(where)

        walk(json.loads((CHARTS / "sluice/values.schema.json").read_text())["definitions"]["consumer"], "")
        self.assertEqual(named, keys)

    def test_value_tables_are_current(self):
        for chart in ("sluice", "example", "operations"):
            path = CHARTS / chart / "README.md"
            before = path.read_text()
            after = re.sub(r"(<!-- values -->\n).*?(<!-- /values -->)", lambda m: m[1] + value_table(CHARTS / chart / "values.yaml") + m[2],
                           before, flags=re.DOTALL)
            if UPDATE:
                path.write_text(after)
            self.assertIn("<!-- values -->", after)
            self.assertEqual(after, path.read_text(), f"{path} is not current; write it anew with UPDATE=1")


def value_table(path):
    """A row for each value that has a `# --` comment in a values.yaml."""
    values = yaml.safe_load(path.read_text())
    rows, stack, comment = [], [], None
    for line in path.read_text().splitlines():
        indent = len(line) - len(line.lstrip())
        if found := re.match(r"\s*# -- (.*)", line):
            comment = found[1]
        elif comment is not None and (found := re.match(r"\s*# (.*)", line)):
            comment += " " + found[1]
        elif found := re.match(r"\s*([\w.]+):", line):
            stack = [each for each in stack if each[0] < indent] + [(indent, found[1])]
            if comment is not None:
                names = [name for _, name in stack]
                value = values
                for name in names:
                    value = value[name]
                rows.append(f"| `{'.'.join(names)}` | `{json.dumps(value)}` | {comment} |\n")
            comment = None
    return "| Value | Default | Meaning |\n|---|---|---|\n" + "".join(rows)


if __name__ == "__main__":
    unittest.main()
