"""What is in an image, as a builder wrote it: a docker-archive."""

import io
import json
import posixpath
import tarfile

from cluster.kube import KubeError

SBOM = "usr/share/sbom/sluice.spdx.json"
PROGRAM = "usr/bin/sluice"


def check(archive, name):
    """Refuses the image of this name if it is not what deploy/docker promises. False: the archive is of another image."""
    with tarfile.open(archive) as outer:
        manifest = json.load(outer.extractfile("manifest.json"))[0]
        if short(name) not in map(short, manifest["RepoTags"] or []):
            return False
        config = json.load(outer.extractfile(manifest["Config"]))
        files, texts = {}, {}
        for layer in manifest["Layers"]:
            _read(outer.extractfile(layer).read(), files, texts)
    found = problems(config["config"], files, texts)
    if found:
        raise KubeError(f"{archive}: {name}: " + "; ".join(found))
    return True


def short(name):
    """As Docker shows it: without its own registry."""
    return name.removeprefix("docker.io/").removeprefix("library/")


def _read(layer, files, texts):
    with tarfile.open(fileobj=io.BytesIO(layer)) as inner:
        for each in inner:
            path = posixpath.normpath(each.name).lstrip("/")
            files[path] = each
            if path == SBOM:
                texts[path] = inner.extractfile(each).read()


def problems(config, files, texts):
    """In words. `files`: path -> tarfile.TarInfo; `texts`: path -> content, of those that matter."""
    found = []
    if config.get("User") != "65532:65532":
        found.append(f"it runs as {config.get('User')!r}, not as 65532:65532")
    if config.get("Entrypoint") != ["/usr/bin/sluice"]:
        found.append(f"its entry point is {config.get('Entrypoint')}")
    if (config.get("Healthcheck") or {}).get("Test") != ["CMD", "/usr/bin/sluice", "healthcheck"]:
        found.append(f"its health check is {config.get('Healthcheck')}")
    for label in ("title", "licenses", "source", "version", "revision"):
        if not config.get("Labels", {}).get(f"org.opencontainers.image.{label}"):
            found.append(f"it has no label {label}")
    programs = sorted(path for path, each in files.items() if each.isfile() and each.mode & 0o111 and ".so" not in path)
    if programs != [PROGRAM]:
        found.append(f"its programs are {programs}")
    loose = sorted(path for path, each in files.items() if not each.issym() and each.mode & 0o6002 and each.mode & 0o1777 != 0o1777)
    if loose:
        found.append(f"others may write, or become another user by, {loose}")
    if SBOM not in texts:
        return [*found, f"it has no {SBOM}"]
    packages = [each["name"] for each in json.loads(texts[SBOM])["packages"]]
    without = [name for name in packages if f"usr/share/doc/{name}/copyright" not in files]
    if without or len(packages) < 3:
        found.append(f"of the packages {packages} those have no licence: {without}")
    return found
