#!/usr/bin/env python3
"""The content of the image: one program, the shared libraries it needs, and what belongs to them. rootfs.py PROGRAM FOLDER VERSION

What is copied: the program, stripped, to /usr/bin/sluice; its shared libraries, as `ldd` finds them, and the dynamic linker; the CA certificates; the licence text of
each Debian package that anything came from, and our own; an SBOM (SPDX 2.3, JSON) that names those packages. No shell, no package manager.
Needs dpkg and binutils, where the program was built.
"""

import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
USER = 65532  # as distroless images call it: nonroot
SBOM = "usr/share/sbom/sluice.spdx.json"
LICENCE = pathlib.Path(__file__).resolve().parents[2] / "LICENSE"


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def libraries(program):
    """The shared libraries of a program, and the dynamic linker, as paths."""
    found = re.findall(r"(/\S+) \(0x", output("ldd", program))
    missing = re.findall(r"(\S+) => not found", output("ldd", program))
    if missing:
        sys.exit(f"rootfs.py: {program} needs {', '.join(missing)}, which is not installed; run `make deps`")
    return sorted(set(found))


def copy(source, root, target=None):
    """Copies what a path leads to, under the name it is asked for by; the folders above it that are links, as /lib to /usr/lib, are links again."""
    target = target or source
    top = "/" + target.split("/")[1]
    if os.path.islink(top) and not (root / top.lstrip("/")).is_symlink():
        root.mkdir(parents=True, exist_ok=True)
        (root / top.lstrip("/")).symlink_to(os.readlink(top))
    if os.path.islink(top):
        target = os.path.join("/", os.readlink(top), os.path.relpath(target, top))
    target = root / target.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(os.path.realpath(source), target)
    target.chmod(0o755 if os.access(source, os.X_OK) or ".so" in target.name else 0o644)


def names_of(path):
    """How dpkg may know a file: some are in its lists by their name before /usr was merged."""
    real = os.path.realpath(path)
    return list(dict.fromkeys([path, real, path.removeprefix("/usr"), real.removeprefix("/usr"), "/usr" + path]))


def packages_of(paths):
    """The Debian packages that the files came from."""
    asked = [name for path in paths for name in names_of(path)]
    known = {}
    for line in subprocess.run(["dpkg", "-S", *asked], capture_output=True, text=True).stdout.splitlines():
        packages, name = line.rsplit(": ", 1)
        known[name] = packages.split(",")[0].split(":")[0]
    found = set()
    for path in paths:
        owners = [known[name] for name in names_of(path) if name in known]
        if not owners:
            sys.exit(f"rootfs.py: no Debian package owns {path}; the image takes nothing of unknown origin")
        found.add(owners[0])
    return found


def describe(packages):
    names = ("name", "source", "version", "architecture", "homepage", "maintainer")
    fields = "${Package}\t${source:Package}\t${Version}\t${Architecture}\t${Homepage}\t${Maintainer}\n"
    lines = output("dpkg-query", "-W", "-f", fields, *sorted(packages)).splitlines()
    return [dict(zip(names, line.split("\t"))) for line in lines]


def spdx(version, packages, created):
    """The SBOM: what the image is made of."""
    def element(name, version, **more):
        return {"SPDXID": "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", name), "name": name, "versionInfo": version, "downloadLocation": "NOASSERTION",
                "filesAnalyzed": False, "copyrightText": "NOASSERTION", **more}

    own = element("sluice", version, licenseConcluded="Apache-2.0", licenseDeclared="Apache-2.0", supplier="Organization: The Sluice authors")
    others = [element(each["name"], each["version"], licenseConcluded="NOASSERTION", licenseDeclared="NOASSERTION",
                      supplier="Person: " + re.sub(r" <(.*)>", r" (\1)", each["maintainer"]),
                      licenseComments=f"see /usr/share/doc/{each['name']}/copyright",
                      externalRefs=[{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                                     "referenceLocator": f"pkg:deb/debian/{each['name']}@{each['version']}?arch={each['architecture']}&distro=bookworm"}])
              for each in packages]
    relations = [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": own["SPDXID"]}]
    relations += [{"spdxElementId": own["SPDXID"], "relationshipType": "DYNAMIC_LINK" if each["name"].startswith("lib") else "DEPENDS_ON",
                   "relatedSpdxElement": each["SPDXID"]} for each in others]
    return {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"sluice-{version}",
            "documentNamespace": f"https://github.com/sluice-sidecar/sluice/sbom/{version}/{created}",
            "creationInfo": {"created": created, "creators": ["Tool: sluice-rootfs", "Organization: The Sluice authors"]},
            "packages": [own, *others], "relationships": relations}


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    program, root, version = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    if root.exists() and any(root.iterdir()):
        sys.exit(f"rootfs.py: {root} is not empty; name a new folder")
    copied = [*libraries(program), CERTIFICATES]
    copy(program, root, "/usr/bin/sluice")
    output("strip", str(root / "usr/bin/sluice"))
    for path in copied:
        copy(path, root)
    packages = describe({"ca-certificates"} | packages_of([path for path in copied if path != CERTIFICATES]))
    for each in packages:
        copy(f"/usr/share/doc/{each['name']}/copyright", root)
    copy(str(LICENCE), root, "/usr/share/doc/sluice/copyright")
    (root / "etc/passwd").write_text(f"sluice:x:{USER}:{USER}:Sluice:/:/sbin/nologin\n")
    (root / "etc/group").write_text(f"sluice:x:{USER}:\n")
    # Mount points: under a read-only root nobody can make them.
    for folder in ("run/sluice", "etc/sluice", "tmp", "dev", "proc"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    os.chmod(root / "run/sluice", 0o770)
    # Of the sources' last change where the build says so, so that the same sources make the same image.
    moment = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc) if os.environ.get("SOURCE_DATE_EPOCH") \
        else datetime.datetime.now(datetime.timezone.utc)
    (root / SBOM).parent.mkdir(parents=True, exist_ok=True)
    (root / SBOM).write_text(json.dumps(spdx(version, packages, moment.strftime("%Y-%m-%dT%H:%M:%SZ")), indent=1) + "\n")
    size = sum(each.stat().st_size for each in root.rglob("*") if each.is_file())
    print(f"{root}: {len(copied)} files from {len(packages)} Debian packages, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
