#!/usr/bin/env python3
"""A row for each SDK: its handlers beside a bare gRPC stream of the same language, by its own `make bench`, which prints JSON lines.

Adds its figures to the JSON file of bench.py. A language whose tools are not installed, or whose bench fails, is left out by name.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
NEEDS = {"cpp": ["cmake"], "go": ["go"], "python": ["python3"], "node": ["node", "npm"], "java": ["javac", "mvn"]}
PATIENCE_S = 600


def figures(language):
    """What a language's bench says; a sentence instead, if it cannot."""
    missing = [program for program in NEEDS[language] if not shutil.which(program)]
    if missing:
        return f"{' and '.join(missing)} not installed"
    try:
        done = subprocess.run(["make", "--no-print-directory", "-C", ROOT / "client-sdk" / language, "bench"], capture_output=True, text=True,
                              timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        return f"its bench took longer than {PATIENCE_S} s"
    if done.returncode:
        return f"its bench failed: {(done.stderr.strip().splitlines() or ['it said nothing'])[-1]}"
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [{**line, "name": f"sdk.{line['name']}"} for line in lines] or "its bench printed no figures"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=pathlib.Path, default="build/bench.json")
    parser.add_argument("--languages", nargs="+", choices=NEEDS, default=list(NEEDS))
    options = parser.parse_args()
    found = json.loads(options.output.read_text()) if options.output.exists() else []
    found = [each for each in found if not each["name"].startswith("sdk.")]
    for language in options.languages:
        told = figures(language)
        if isinstance(told, str):
            print(f"left out: {language}: {told}", file=sys.stderr)
            continue
        for each in told:
            print(f"{each['name']:44}{each['value']:14,.3f}  {each['unit']}" if each["value"] < 100 else f"{each['name']:44}{each['value']:14,.0f}  {each['unit']}")
        found += told
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
