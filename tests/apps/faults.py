#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Sessions of a client with a gate whose reads and writes fail in turn: each of
them once in each way, and one in two all the time. GATE is its port, PORT this
program's as its upstream, ORDER the file shared with fault_calls. What the
client hears must be what it hears without faults, or where a connection broke, a
part of that or an error; the upstream must see whole requests of the session, or
broken ones. Prints how many runs there were. usage: faults.py GATE PORT ORDER
[SESSION ...]"""
import mmap
import re
import socket
import struct
import sys
import threading

GATE, PORT = int(sys.argv[1]), int(sys.argv[2])
with open(sys.argv[3], "r+b") as file:
    ORDER = mmap.mmap(file.fileno(), 4096)
NONE, ONE_BYTE, AGAIN, RESET, PIPE = range(5)
EACH = 0xffffffff
LONG = b"ghijklmnopqrstuv" * (300000 // 16)
LOCK = threading.Lock()
SEEN = []


def order(fault, nth):
    ORDER[:16] = struct.pack("IIII", fault, nth, 0, 0)


def facts():
    return struct.unpack("IIII", ORDER[:16])[2:]


# ---- the upstream ----

class Ended(Exception):
    pass


class Reader:
    def __init__(self, peer):
        self.peer = peer
        self.kept = b""

    def more(self):
        piece = self.peer.recv(65536)
        if not piece:
            raise Ended
        self.kept += piece

    def until(self, mark):
        while mark not in self.kept:
            self.more()
        part, _, self.kept = self.kept.partition(mark)
        return part

    def take(self, size):
        while len(self.kept) < size:
            self.more()
        part, self.kept = self.kept[:size], self.kept[size:]
        return part


def chunks(reader):
    body = b""
    while size := int(reader.until(b"\r\n"), 16):
        body += reader.take(size)
        reader.take(2)
    while reader.until(b"\r\n"):
        pass
    return body


def body_of(head, reader):
    length = re.search(rb"\r\nContent-Length: (\d+)", head, re.I)
    if length:
        return reader.take(int(length.group(1)))
    if re.search(rb"\r\nTransfer-Encoding: chunked", head, re.I):
        return chunks(reader)
    return b""


def answer(method, target):
    name = b"for " + target
    if target == b"/none":
        return b"HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n"
    if target == b"/chunked":
        return (b"HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked"
                b"\r\n\r\n%x\r\n%s\r\n3\r\nend\r\n0\r\nSum: 1\r\n\r\n"
                % (len(name), name))
    if target == b"/long":
        name = LONG
    head = (b"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: %d\r\n\r\n"
            % len(name))
    return head if method == b"HEAD" else head + name


def serve_one(peer, reader):
    head = reader.until(b"\r\n\r\n")
    method, target = head.split(b" ")[:2]
    if target == b"/tunnel":
        peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\nDate: x\r\n"
                     b"Upgrade: echo\r\nConnection: upgrade\r\n\r\n")
        while True:
            reader.more()
            peer.sendall(reader.kept)
            reader.kept = b""
    if target == b"/early":
        peer.sendall(b"HTTP/1.1 403 No\r\nDate: x\r\nContent-Length: 5\r\n"
                     b"Connection: close\r\n\r\nearly")
    try:
        body = body_of(head, reader)
    except (Ended, OSError):
        raise Ended from None
    with LOCK:
        SEEN.append((method, target, body))
    if target != b"/early":
        peer.sendall(answer(method, target))


def serve(peer):
    reader = Reader(peer)
    try:
        while True:
            serve_one(peer, reader)
    except (Ended, OSError):
        pass
    finally:
        try:
            peer.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        peer.close()


def listen():
    listener = socket.create_server(("127.0.0.1", PORT), backlog=64)
    while True:
        threading.Thread(target=serve, args=[listener.accept()[0]],
                         daemon=True).start()


# ---- the client ----

def request(method, target, body=None, more="", chunked=False):
    head = f"{method} {target} HTTP/1.1\r\nHost: a\r\n{more}"
    body = body or b""
    if chunked:
        body = b"%x\r\n%s\r\n0\r\nSum: 1\r\n\r\n" % (len(body), body)
        head += "Transfer-Encoding: chunked\r\n"
    elif body:
        head += f"Content-Length: {len(body)}\r\n"
    return (head + "\r\n").encode() + body


FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
PLAIN = "Content-Type: text/plain\r\n"
SESSIONS = {
    "GETs": request("GET", "/one") + request("GET", "/two"),
    "HEAD and 204": request("HEAD", "/head") + request("GET", "/none"),
    "chunked response": request("GET", "/chunked") + request("GET", "/b"),
    "long response": request("GET", "/long") + request("GET", "/c"),
    "POST": request("POST", "/post", b"hello", PLAIN)
    + request("GET", "/after"),
    "chunked POST": request("POST", "/up", b"hello world", PLAIN, True)
    + request("GET", "/after"),
    "held form": request("POST", "/form", b"a=1&b=2", FORM)
    + request("GET", "/after"),
    "long upload": request("PUT", "/put", LONG, PLAIN)
    + request("GET", "/after"),
    "Expect": request("POST", "/expect", b"hello",
                      PLAIN + "Expect: 100-continue\r\n"),
    "refused": request("DELETE", "/gone") + request("GET", "/still"),
    "refused form": request("POST", "/form", b"_method=DELETE", FORM)
    + request("GET", "/still"),
    "early": request("PUT", "/early", LONG, PLAIN),
    "tunnel": request("GET", "/tunnel", None,
                      "Connection: upgrade\r\nUpgrade: echo\r\n")
    + b"hello tunnel",
}


def allowed(text):
    """What of a session the upstream may see whole."""
    seen = set()
    for match in re.finditer(rb"(GET|HEAD|POST|PUT) (/\w+) HTTP", text):
        seen.add(match.groups())
    return seen


def clean(heard):
    """An early answer closes or not: by how much of the upload has come."""
    heard = heard.replace(b"Connection: close\r\n", b"")
    heard = re.sub(rb"Date: [^\r]*", b"Date: x", heard)
    return re.sub(rb"[0-9a-f]{32}", b"ID", heard)


def send_all(peer, text):
    try:
        peer.sendall(text)
    except OSError:
        pass


def play(text, size):
    """What is heard up to size bytes, or to the end."""
    heard = b""
    peer = socket.create_connection(("127.0.0.1", GATE))
    peer.settimeout(20)
    sender = threading.Thread(target=send_all, args=[peer, text])
    sender.start()
    try:
        while size is None or len(clean(heard)) < size:
            piece = peer.recv(65536)
            if not piece:
                break
            heard += piece
    except ConnectionError:
        pass
    except TimeoutError:
        heard += b"... and hangs"
    finally:
        peer.close()
        sender.join()
    return clean(heard)


def play_once(text):
    """Without a fault, to the end: the client says when that is."""
    peer = socket.create_connection(("127.0.0.1", GATE))
    peer.settimeout(2)
    sender = threading.Thread(target=send_all, args=[peer, text])
    sender.start()
    heard = b""
    try:
        while piece := peer.recv(65536):
            heard += piece
            if len(heard) < 300000:
                peer.settimeout(0.3)
    except OSError:
        pass
    sender.join()
    peer.close()
    return clean(heard)


def is_part(heard, whole):
    """A prefix, and perhaps an error of the gate in place of what follows."""
    same = 0
    for ours, theirs in zip(heard, whole):
        if ours != theirs:
            break
        same += 1
    start = heard.rfind(b"HTTP/1.1 ", 0, same + 9)
    rest = heard[start:] if start >= 0 else heard
    return len(heard) == same or re.match(rb"HTTP/1.1 (50[234]|408)", rest)


def judge(name, what, heard, whole, exact):
    # the upstream may tell late of the session before
    names = list(SESSIONS)
    texts = [SESSIONS[n] for n in names[max(0, names.index(name) - 1):
                                        names.index(name) + 1]]
    if heard != whole if exact else not is_part(heard, whole):
        sys.exit(f"{name}: {what}: heard {heard[-300:]!r}, not "
                 f"{whole[-300:]!r}")
    with LOCK:
        seen, SEEN[:] = list(SEEN), []
    for method, target, body in seen:
        good = any((method, target) in allowed(text)
                   and (not body or body in text) for text in texts)
        if not good or b"_method" in body:
            sys.exit(f"{name}: {what}: the upstream saw {method} {target} "
                     f"{body[:80]!r}")


def try_all(name):
    text = SESSIONS[name]
    order(NONE, 0)
    whole = play_once(text)
    calls = facts()[0]
    if not whole.startswith(b"HTTP/1.1 "):
        sys.exit(f"{name}: heard {whole!r}")
    judge(name, "no fault", whole, whole, True)
    runs = 0
    faults = [(ONE_BYTE, EACH), (AGAIN, EACH)]
    if calls > 60:  # a long one: its start, and samples of the rest
        places = list(range(30)) + list(range(30, calls, calls // 30))
        faults = [(AGAIN, EACH)]
    else:
        places = range(calls + 2)
    faults += [(fault, nth) for nth in places
               for fault in (ONE_BYTE, AGAIN, RESET, PIPE)]
    for fault, nth in faults:
        order(fault, nth)
        heard = play(text, len(whole))
        order(NONE, 0)
        judge(name, f"fault {fault} at call {nth}", heard, whole,
              fault in (ONE_BYTE, AGAIN))
        runs += 1
    return runs


threading.Thread(target=listen, daemon=True).start()
ONLY = sys.argv[4:] or SESSIONS
for session in ONLY:
    print(f"{session}: {try_all(session)} runs", flush=True)
