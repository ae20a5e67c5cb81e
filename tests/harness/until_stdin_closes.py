"""
Runs a program until standard input closes, then stops it and removes a directory.

    python until_stdin_closes.py DIRECTORY UID GID PROGRAM ARGUMENT...

The tests hold the other end of the pipe, so the program ends with them, even when they are killed.
A uid of -1 keeps the user.
"""

import shutil
import signal
import subprocess
import sys
import threading


def main(directory: str, uid: int, gid: int, command: list[str]) -> int:
    # A session of its own: Ctrl-C in the terminal reaches the tests, which close the pipe when they have finished.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    program = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        cwd=directory,
        start_new_session=True,
        user=uid if uid >= 0 else None,
        group=gid if uid >= 0 else None,
        extra_groups=[] if uid >= 0 else None,
    )

    def wait_for_the_tests() -> None:
        sys.stdin.buffer.read()
        program.send_signal(signal.SIGQUIT)

    threading.Thread(target=wait_for_the_tests, daemon=True).start()
    code = program.wait()
    shutil.rmtree(directory, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
