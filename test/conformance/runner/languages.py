"""Which languages there are, and which of their drivers can be played here."""

import dataclasses
import os
import subprocess
from pathlib import Path

LANGUAGES = ("cpp", "go", "python", "node", "java")


@dataclasses.dataclass(frozen=True)
class Language:
    name: str
    run: Path  # the driver
    missing: str = ""  # why it cannot be played


def find(names, folders):
    """Each of them, with the first of the folders that has a driver for it."""
    return [_language(name, folders) for name in names]


def _language(name, folders):
    for folder in folders:
        run = (Path(folder) / name / "run").resolve()
        if run.is_file():
            return Language(name, run, _why_not(run))
    return Language(name, Path(), f"there is no driver {folders[0]}/{name}/run")


def _why_not(run):
    """A driver that is there may lack its toolchain, or not be built."""
    if not os.access(run, os.X_OK):
        return f"{run} is not executable"
    try:
        done = subprocess.run([run], input="", capture_output=True, text=True, timeout=60, cwd=run.parent,
                              env={**os.environ, "SLUICE_ADDRESS": "unix:///nonexistent/sluice.sock"})
    except (subprocess.TimeoutExpired, OSError) as error:
        return f"its driver does not start: {error}"
    if done.returncode or '"ready"' not in done.stdout:
        words = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return f"its driver does not start (exit code {done.returncode}): {words[:200]}"
    noise = [line for line in done.stdout.splitlines() if not line.startswith("{")]
    return f"its driver writes what is no event: {noise[0][:200]}" if noise else ""
