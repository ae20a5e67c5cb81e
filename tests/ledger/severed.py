"""A wire to PostgreSQL that can be cut after a statement was sent and before its answer arrives."""

import socket
import threading


class Wire:
    """Listens on `port`, forwards to the server, and cuts the connection that next sends `word` as soon as the server answers it."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._word: bytes | None = None
        self.cuts = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._listen, daemon=True).start()

    def cut_after(self, word: bytes) -> None:
        self._word = word

    def close(self) -> None:
        self._listening.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            doomed = threading.Event()
            threading.Thread(target=self._forward, args=(client, server, doomed), daemon=True).start()
            threading.Thread(target=self._back, args=(server, client, doomed), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket, doomed: threading.Event) -> None:
        while data := _read(client):
            if self._word is not None and self._word in data:
                self._word = None
                doomed.set()
            server.sendall(data)
        _close(server)

    def _back(self, server: socket.socket, client: socket.socket, doomed: threading.Event) -> None:
        while data := _read(server):
            if doomed.is_set():
                self.cuts += 1
                break
            client.sendall(data)
        _close(client)
        _close(server)


def _read(end: socket.socket) -> bytes:
    try:
        return end.recv(65536)
    except OSError:
        return b""


def _close(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
    finally:
        end.close()
