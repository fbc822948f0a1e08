"""Runs a command where nothing but this machine can be reached, and keeps what it asked for all the same.

    python tests/internet/offline.py LOG COMMAND...

A network namespace of its own (root): the kernel lets nothing out. In it a name server and a proxy write every name and address that
they are asked for into LOG, one a line, and answer that there is none.
"""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
SIOCSIFFLAGS, UP_LOOPBACK_RUNNING = 0x8914, 0x1 | 0x8 | 0x40
NAME_SERVER, PROXY = 53, 3128
NO_SUCH_NAME = 0x8183


def isolate() -> None:
    """This process leaves the machine's network and takes loopback and a resolv.conf of its own; OSError without the right to."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET | CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", UP_LOOPBACK_RUNNING))
    resolver = tempfile.NamedTemporaryFile("w", suffix=".conf", delete=False)  # noqa: SIM115
    resolver.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    resolver.close()
    libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    libc.mount(resolver.name.encode(), b"/etc/resolv.conf", None, MS_BIND, None)


def name_asked(packet: bytes) -> str:
    labels, place = [], 12
    while length := packet[place]:
        labels.append(packet[place + 1 : place + 1 + length].decode())
        place += 1 + length
    return ".".join(labels)


def names(server: socket.socket, log: Path) -> None:
    """Answer every question with "no such name", and keep it."""
    while True:
        packet, client = server.recvfrom(4096)
        keep(log, f"name {name_asked(packet)}")
        server.sendto(packet[:2] + struct.pack(">H", NO_SUCH_NAME) + packet[4:], client)


def proxy(server: socket.socket, log: Path) -> None:
    while True:
        client, _ = server.accept()
        with client:
            first = client.recv(4096).split(b"\r\n")[0].decode(errors="replace")
            keep(log, f"proxy {first}")
            client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def keep(log: Path, line: str) -> None:
    with open(log, "a") as file:
        file.write(line + "\n")


def main(log: Path, command: list[str]) -> int:
    isolate()
    for kind, port, answer in ((socket.SOCK_DGRAM, NAME_SERVER, names), (socket.SOCK_STREAM, PROXY, proxy)):
        server = socket.socket(socket.AF_INET, kind)
        server.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            server.listen()
        threading.Thread(target=answer, args=(server, log), daemon=True).start()
    address = f"http://127.0.0.1:{PROXY}"
    environment = os.environ | {"HTTPS_PROXY": address, "HTTP_PROXY": address, "NO_PROXY": "localhost,127.0.0.1"}
    return subprocess.run(command, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
