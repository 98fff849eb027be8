#!/usr/bin/env python3
"""Writes the figures of a bench.json into docs/performance.md, and draws its two pictures. By Debian's python3-matplotlib.

    docs.py [--bench build/bench.json] [--page docs/performance.md]

In the page, what stands between `<!-- bench: NAME -->` and `<!-- /bench -->` is replaced.
"""

import argparse
import datetime
import json
import pathlib

from measuring import pages, pictures

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=pathlib.Path, default=ROOT / "build/bench.json")
    parser.add_argument("--page", type=pathlib.Path, default=ROOT / "docs/performance.md")
    options = parser.parse_args()
    found = json.loads(options.bench.read_text())
    values = {each["name"]: each["value"] for each in found}
    day = datetime.datetime.fromtimestamp(options.bench.stat().st_mtime, datetime.timezone.utc).date().isoformat()
    options.page.write_text(pages.filled(options.page.read_text(), values, {"day": day, "commit": values.get("commit", "unknown"), "found": found}))
    folder = options.page.parent / "performance"
    folder.mkdir(exist_ok=True)
    for picture in (pictures.rate_by_size, pictures.latency_distribution):
        print(picture(values, folder))


if __name__ == "__main__":
    main()
