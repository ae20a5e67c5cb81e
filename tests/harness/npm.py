"""The npm packages some tests drive, installed once into `.artifacts`; `Unavailable` says why not where there is no registry."""

import hashlib
import json
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

ARTIFACTS = Path(__file__).resolve().parents[2] / ".artifacts"
PACKAGES = {
    "stripe": "23.1.0",
    "@stripe/stripe-js": "10.2.1",
    "@stripe/react-stripe-js": "7.0.1",
    "react": "19.3.1",
    "react-dom": "19.3.1",
    "esbuild": "0.28.2",
}
INSTALL = "install --no-audit --no-fund --no-package-lock --ignore-scripts --prefer-offline --loglevel=error".split()
TIMEOUT_S = 120


class Unavailable(Exception):
    """The packages cannot be had here."""


def installed(node: Path) -> Path:
    """The folder that holds `node_modules`. Asks the registry once per process."""
    found = outcome(node)
    if isinstance(found, str):
        raise Unavailable(found)
    return found


@cache
def outcome(node: Path) -> Path | str:
    """The folder, or why there is none."""
    try:
        return made_once(node)
    except Unavailable as reason:
        return str(reason)


def made_once(node: Path) -> Path:
    """Many processes may ask at once: the first that is done moves its folder into place."""
    wish = json.dumps({"private": True, "dependencies": PACKAGES})
    home = ARTIFACTS / f"npm-{hashlib.sha256(wish.encode()).hexdigest()[:12]}"
    if home.exists():
        return home
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ARTIFACTS) as folder:
        made = Path(folder) / "made"
        made.mkdir()
        (made / "package.json").write_text(wish)
        install(node, made)
        if not home.exists():
            made.replace(home)
    return home


def install(node: Path, folder: Path) -> None:
    try:
        ended = subprocess.run(
            [*npm(node), *INSTALL], cwd=folder, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired as slow:
        raise Unavailable("the npm registry does not answer") from slow
    if ended.returncode:
        raise Unavailable(f"npm install failed: {ended.stderr[-500:]}")


def npm(node: Path) -> list[str]:
    """The one beside this Node, else the machine's."""
    beside = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if beside.exists():
        return [str(node), str(beside)]
    on_path = shutil.which("npm")
    if on_path is None:
        raise Unavailable("there is no npm")
    return [on_path]
