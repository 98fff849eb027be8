#!/usr/bin/env python3
"""Strict JSON schemas of Kubernetes' and other projects' objects, for kubeconform: schemas.py OUT VERSION...

Kubernetes publishes what its API takes as OpenAPI, in the module k8s.io/kubernetes; KEDA and the Prometheus operator publish CRDs. All come from the
Go module proxy, by `go mod download`. Strict: a field that is not named is refused.
"""

import json
import pathlib
import re
import subprocess
import sys

import yaml

# What the charts make of other projects: module, version, file.
CRDS = [
    ("github.com/kedacore/keda/v2", "v2.17.2", "config/crd/bases/keda.sh_scaledobjects.yaml"),
    ("github.com/prometheus-operator/prometheus-operator", "v0.85.0",
     "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml"),
    ("github.com/prometheus-operator/prometheus-operator", "v0.85.0",
     "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"),
]


def module(path, version):
    """The folder of a Go module."""
    done = subprocess.run(["go", "mod", "download", "-json", f"{path}@{version}"], capture_output=True, text=True)
    answer = json.loads(done.stdout or "{}")
    if done.returncode or "Dir" not in answer:
        sys.exit(f"schemas.py: cannot get {path}@{version}: {answer.get('Error') or done.stderr.strip()}")
    return pathlib.Path(answer["Dir"])


def strict(node):
    """Refuses what is not named, wherever fields are named."""
    if isinstance(node, list):
        return [strict(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: strict(value) for key, value in node.items()}
    if "properties" in made and "additionalProperties" not in made and not node.get("x-kubernetes-preserve-unknown-fields"):
        made["additionalProperties"] = False
    if node.get("x-kubernetes-int-or-string") or node.get("format") == "int-or-string":
        made.pop("type", None)
        made.pop("format", None)
        made["anyOf"] = [{"type": "string"}, {"type": "integer"}]
    return made


def named_by(schema, definitions):
    """The definitions that a schema names, and those that they name."""
    found, open_ends = {}, [schema]
    while open_ends:
        for name in re.findall(r'"#/definitions/([^"]+)"', json.dumps(open_ends.pop())):
            if name not in found:
                found[name] = definitions[name]
                open_ends.append(definitions[name])
    return found


def write_kubernetes(out, version):
    folder = out / f"v{version}-standalone-strict"
    if folder.exists():
        return
    swagger = json.loads((module("k8s.io/kubernetes", f"v{version}") / "api/openapi-spec/swagger.json").read_text())
    definitions = {name: strict(each) for name, each in swagger["definitions"].items()}
    quantity = definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"]
    quantity.pop("type", None)
    quantity["anyOf"] = [{"type": "string"}, {"type": "number"}]
    part = folder.with_suffix(".part")
    part.mkdir(parents=True, exist_ok=True)
    for name, each in definitions.items():
        for kind in each.get("x-kubernetes-group-version-kind", []):
            if "metadata" not in each.get("properties", {}) or kind["kind"].endswith("List"):
                continue
            group = kind["group"].split(".")[0]
            suffix = f"-{group}-{kind['version']}" if group else f"-{kind['version']}"
            # Kubernetes' OpenAPI leaves it open whether an object says which it is; whoever sends one must.
            required = sorted({*each.get("required", []), "apiVersion", "kind"} & set(each["properties"]))
            schema = {**each, "required": required, "definitions": named_by(each, definitions)}
            (part / f"{kind['kind'].lower()}{suffix}.json").write_text(json.dumps(schema))
    part.rename(folder)


def write_crds(out):
    folder = out / "crds"
    folder.mkdir(parents=True, exist_ok=True)
    for path, version, name in CRDS:
        crd = yaml.safe_load((module(path, version) / name).read_text())
        for each in crd["spec"]["versions"]:
            schema = strict(each["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"type": "object"}
            (folder / f"{crd['spec']['names']['kind'].lower()}_{each['name']}.json").write_text(json.dumps(schema))


def main():
    out = pathlib.Path(sys.argv[1])
    for version in sys.argv[2:]:
        write_kubernetes(out, version)
    write_crds(out)


if __name__ == "__main__":
    main()
