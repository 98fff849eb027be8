#!/usr/bin/env python3
"""The content of the image, assembled by the same script as in deploy/docker/Dockerfile, is complete: the daemon runs from it alone, as another user, on a
read-only root. SLUICE_BIN is the daemon. As root; makes namespaces of its own."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESTRICTED = ["unshare", "--mount", "--", "sh", "-ec", """
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount -t tmpfs -o mode=0770,uid=65532,gid=65532 tmpfs "$1/run/sluice"
shift
exec "$@"
""", "sh"]


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60, **options)


class Image(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = pathlib.Path(cls.folder.name) / "rootfs"
        done = run("python3", ROOT / "deploy/docker/rootfs.py", os.environ.get("SLUICE_BIN", ROOT / "build/release/sluice"), cls.root, "0.1.0",
                   env={**os.environ, "SOURCE_DATE_EPOCH": "1750000000"})
        assert done.returncode == 0, done.stderr
        # Others may not look into a temporary folder of root's.
        os.chmod(cls.folder.name, 0o755)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def inside(self, *arguments):
        """The program, from the image alone."""
        return run(*RESTRICTED, self.root, "chroot", "--userspec=65532:65532", "--groups=", self.root, "/usr/bin/sluice", *arguments)

    def test_it_runs_from_it_alone(self):
        done = self.inside("version", "--output", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["version"], "0.1.0")

    def test_what_is_wrong_is_told_as_ever(self):
        done = self.inside("config", "check", "--config", "/etc/sluice/sluice.yaml")
        self.assertEqual(done.returncode, 78)
        self.assertIn("/etc/sluice/sluice.yaml", done.stderr)

    def test_no_shell_and_nothing_for_others_to_write(self):
        programs = [each for each in self.root.rglob("*") if each.is_file() and os.access(each, os.X_OK) and ".so" not in each.name]
        self.assertEqual(programs, [self.root / "usr/bin/sluice"])
        self.assertEqual([each for each in self.root.rglob("*") if not each.is_symlink() and each.stat().st_mode & 0o002], [])
        self.assertEqual([each for each in self.root.rglob("*") if each.stat().st_mode & 0o6000], [])

    def test_it_can_be_laid_over_debian(self):
        """Whose /lib is a link: a builder does not copy a folder over that."""
        for folder in ("lib", "lib64"):
            if os.path.islink(f"/{folder}") and (self.root / folder).exists():
                self.assertEqual(os.readlink(self.root / folder), os.readlink(f"/{folder}"))
        self.assertTrue((self.root / "lib").is_symlink())

    def test_the_sbom_names_each_package_with_its_licence(self):
        sbom = json.loads((self.root / "usr/share/sbom/sluice.spdx.json").read_text())
        self.assertEqual(sbom["spdxVersion"], "SPDX-2.3")
        names = {each["name"] for each in sbom["packages"]}
        self.assertLessEqual({"sluice", "libc6", "ca-certificates"}, names)
        self.assertTrue(any(name.startswith("libgrpc++") for name in names), names)
        for each in sbom["packages"]:
            self.assertTrue((self.root / f"usr/share/doc/{each['name']}/copyright").exists(), each["name"])
            self.assertTrue(each["versionInfo"])
        ids = [each["SPDXID"] for each in sbom["packages"]]
        self.assertEqual(len(ids), len(set(ids)))
        for relation in sbom["relationships"]:
            self.assertLessEqual({relation["spdxElementId"], relation["relatedSpdxElement"]}, {*ids, "SPDXRef-DOCUMENT"})

    def test_the_same_sources_make_the_same_sbom(self):
        self.assertIn("2025-06-15", (self.root / "usr/share/sbom/sluice.spdx.json").read_text())


if __name__ == "__main__":
    unittest.main()
