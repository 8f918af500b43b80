#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What a gate holds for clients and servers that want it to hold much. GATE is
its port, PID its process, PORT this program's as its upstream. One line a case:
its name, by how many KB the gate's resident size grew at most, and the limit.
usage: memory.py GATE PID PORT"""
import pathlib
import re
import socket
import sys
import threading
import time

GATE, PID, PORT = (int(word) for word in sys.argv[1:])
BIG = 64 << 20
BLOCK = bytes(1 << 16)
IDLE = 2000


def resident():
    text = pathlib.Path(f"/proc/{PID}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))


def head_of(peer):
    heard = b""
    while b"\r\n\r\n" not in heard:
        piece = peer.recv(65536)
        if not piece:
            return None
        heard += piece
    return heard


def send_all(peer, size):
    """Of zeros; how many were taken before the other side went."""
    sent = 0
    try:
        while sent < size:
            sent += peer.send(BLOCK[:size - sent])
    except OSError:
        pass
    return sent


def serve(peer):
    """By target: /chunk one chunk of 64 MB, /long 64 MB, /deaf reads nothing
    more, /up reads all; else a short answer."""
    with peer:
        while head := head_of(peer):
            target = head.split(b" ")[1]
            if target == b"/chunk":
                peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
                             b"\r\n\r\n%x\r\n" % BIG)
                send_all(peer, BIG)
                peer.sendall(b"\r\n0\r\n\r\n")
            elif target == b"/long":
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
                             % BIG)
                send_all(peer, BIG)
            elif target == b"/deaf":
                DEAF.wait(60)
                return
            elif target == b"/up":
                while b"\r\n0\r\n\r\n" not in head[-64:]:
                    head = head[-64:] + peer.recv(1 << 20)
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            else:
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def listen():
    listener = socket.create_server(("127.0.0.1", PORT), backlog=1024)
    while True:
        threading.Thread(target=quietly, args=[listener.accept()[0]],
                         daemon=True).start()


def quietly(peer):
    try:
        serve(peer)
    except OSError:
        pass


def ask(target, method="GET", more=""):
    peer = socket.create_connection(("127.0.0.1", GATE), 60)
    peer.sendall(f"{method} {target} HTTP/1.1\r\nHost: a\r\n{more}\r\n"
                 .encode())
    return peer


class Watch:
    """The most that the gate had while this was open."""

    def __enter__(self):
        self.before = self.most = resident()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def run(self):
        while not self.over.wait(0.01):
            self.most = max(self.most, resident())

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.most = max(self.most, resident())


def read_all(peer, size):
    count = 0
    while count < size:
        piece = peer.recv(1 << 20)
        if not piece:
            raise SystemExit(f"ended after {count} bytes")
        count += len(piece)


def chunk_down():
    read_all(ask("/chunk"), BIG)


def chunk_up():
    peer = ask("/up", "PUT", "Transfer-Encoding: chunked\r\n")
    peer.sendall(b"%x\r\n" % BIG)
    if send_all(peer, BIG) != BIG:
        raise SystemExit("the upload broke off")
    peer.sendall(b"\r\n0\r\n\r\n")
    if b" 200 " not in head_of(peer):
        raise SystemExit("the upload was not answered")


def slow_readers():
    """Fifty clients that take next to nothing of 64 MB each, until the gate has
    come to rest."""
    peers = [ask("/long") for _ in range(50)]
    for peer in peers:
        peer.recv(1024)
    rest()
    for _ in range(20):
        for peer in peers:
            peer.recv(1024)
    rest()


def deaf_server():
    peer = ask("/deaf", "PUT", f"Content-Length: {BIG}\r\n")
    peer.settimeout(2)
    if send_all(peer, BIG) == BIG:
        raise SystemExit("all was taken")
    DEAF.set()


def used():
    text = pathlib.Path(f"/proc/{PID}/stat").read_text().split()
    return int(text[13]) + int(text[14])


def rest():
    """Until the gate has used no processor for half a second."""
    before, since, end = used(), time.monotonic(), time.monotonic() + 30
    while time.monotonic() - since < 0.5 and time.monotonic() < end:
        if used() != before:
            before, since = used(), time.monotonic()
        time.sleep(0.02)


KEPT = []


def idle():
    for _ in range(IDLE):
        KEPT.append(ask("/"))
        read_all(KEPT[-1], 2)


DEAF = threading.Event()
CASES = [(chunk_down, 2048), (chunk_up, 2048), (slow_readers, 2048),
         (deaf_server, 2048), (idle, IDLE * 400 // 1024)]
threading.Thread(target=listen, daemon=True).start()
for _ in range(50):  # what is made once
    read_all(ask("/"), 2)
failed = False
for case, limit in CASES:
    with Watch() as watch:
        case()
    grown = watch.most - watch.before
    failed = failed or grown > limit
    print(f"{case.__name__} {grown} kB of {limit} kB", flush=True)
sys.exit(failed)
