"""
Writes an Alembic revision with what the tables of the rooms have and the migrations lack: `python
scripts/new_migration.py "what changes"`.

`--initial` writes revision 0001 anew from nothing; that is possible only until the first release.
"""

import importlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command

from paywright.storage.database import Database
from paywright.storage.migrate import alembic_config

PACKAGE = Path(__file__).parent.parent / "src" / "paywright"
VERSIONS = PACKAGE / "storage" / "migrations" / "versions"


def main(arguments: list[str]) -> None:
    for tables in sorted(PACKAGE.glob("*/tables.py")):
        importlib.import_module(f"paywright.{tables.parent.name}.tables")
    initial = arguments == ["--initial"]
    if initial:
        for path in VERSIONS.glob("0001_*.py"):
            path.unlink()
    with tempfile.TemporaryDirectory() as folder:
        later = list(VERSIONS.glob("[0-9]*.py")) if initial else []
        for path in later:  # They build on the revision that is just being written.
            shutil.move(path, folder)
        database = Database(f"sqlite:///{folder}/empty.db")
        with database.write() as connection:
            config = alembic_config(connection)
            if initial:
                command.revision(
                    config,
                    "initial",
                    autogenerate=True,
                    rev_id="0001",
                    head="base",
                    splice=True,
                    version_path=str(VERSIONS),
                )
            else:
                command.upgrade(config, "head")
                number = 1 + max(int(path.name[:4]) for path in VERSIONS.glob("[0-9]*.py"))
                command.revision(config, arguments[0], autogenerate=True, rev_id=f"{number:04d}")
        database.close()
        for path in later:
            shutil.move(Path(folder) / path.name, path)
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", str(VERSIONS)], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
