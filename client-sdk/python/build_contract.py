"""Makes the contract's Python code from /proto, for the wheel."""

from __future__ import annotations

import pathlib
import tempfile
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CONTRACT = "sluice/v1/consumer.proto"


def generate(root: pathlib.Path, into: pathlib.Path) -> None:
    """`root`: of this package; its own `proto` is that of a source distribution, else it is the repository's."""
    from grpc_tools import protoc

    proto = next(folder for folder in (root / "proto", root / "../../proto") if (folder / CONTRACT).exists())
    well_known = pathlib.Path(protoc.__file__).parent / "_proto"
    arguments = ["protoc", f"-I{proto}", f"-I{well_known}", f"--python_out={into}", f"--pyi_out={into}", CONTRACT]
    if protoc.main(arguments) != 0:
        raise RuntimeError("protoc could not make the Python code of " + CONTRACT)


class ContractHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = pathlib.Path(self.root)
        if version == "editable":
            generate(root, root / "src")
            return
        self._folder = tempfile.TemporaryDirectory()
        made = pathlib.Path(self._folder.name)
        generate(root, made)
        for name in ("consumer_pb2.py", "consumer_pb2.pyi"):
            build_data["force_include"][str(made / "sluice/v1" / name)] = f"sluice/v1/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        if version != "editable":
            self._folder.cleanup()
