#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Holds the gate to what an application does. Each case, a line of standard
input, is sent to the application directly, which says what it ran, and then
through the gate. The gate must refuse what the application would have run with
a method that its resource does not take, whatever the line expects, and the
application must see exactly what the gate forwarded. One line for each case is
printed: request, what the application ran, what the gate did.

    stop         the application would run a method that is not allowed
    pass         it would not, and the gate forwards
    wary:WHO     it would not, but WHO would, and so the gate refuses

A line is one of these words and a request line, then pieces after ' | ': a
field, or the body: `form`, `json` or `body` (no Content-Type), or several
`part PARAMETERS > VALUE`; `gzip` packs it. Escapes: \\r \\n \\t \\\\ \\xNN.
"""
import argparse
import collections
import gzip
import http.client
import re
import socket
import sys

TIMEOUT = 20
BOUNDARY = b"limit"
REFUSALS = 400, 403, 404, 405, 415, 501
ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\"}
BODIES = {"form": b"application/x-www-form-urlencoded",
          "json": b"application/json", "body": None}

Case = collections.namedtuple("Case", "wanted who text method message")
Answer = collections.namedtuple("Answer", "status ran reason")


def unescape(text):
    def byte(match):
        name = match[1]
        return ESCAPES.get(name) or bytes([int(name[1:], 16)])
    return re.sub(rb"\\([rnt\\]|x[0-9a-f]{2})", byte, text.encode())


def part(text):
    parameters, value = text.split(" > ", 1) if " > " in text else (
        text.removesuffix(" >"), "")
    return (b"--" + BOUNDARY + b"\r\nContent-Disposition: form-data; "
            + unescape(parameters) + b"\r\n\r\n" + unescape(value) + b"\r\n")


def read_case(line):
    expected, request = line.split(None, 1)
    wanted, _, who = expected.partition(":")
    if wanted not in ("stop", "pass", "wary") or bool(who) != (
            wanted == "wary"):
        sys.exit(f"not an expectation: {line}")
    first, *pieces = request.split(" | ")
    fields, body, parts, packed = [b"Host: app.example"], None, b"", False
    for piece in pieces:
        kind, _, rest = piece.partition(" ")
        if kind in BODIES:
            body = unescape(rest)
            if BODIES[kind]:
                fields.append(b"Content-Type: " + BODIES[kind])
        elif kind == "part":
            parts += part(rest)
        elif kind == "gzip":
            packed = True
            fields.append(b"Content-Encoding: gzip")
        else:
            fields.append(unescape(piece))
    if parts:
        body = parts + b"--" + BOUNDARY + b"--\r\n"
        fields.append(b"Content-Type: multipart/form-data; boundary="
                      + BOUNDARY)
    if body is not None:
        body = gzip.compress(body, mtime=0) if packed else body
        fields.append(b"Content-Length: %d" % len(body))
    fields.append(b"Connection: close")
    message = (unescape(first) + b" HTTP/1.1\r\n" + b"\r\n".join(fields)
               + b"\r\n\r\n" + (body or b""))
    return Case(wanted, who, request, first.split(" ")[0], message)


def ask(address, case):
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), TIMEOUT) as sock:
        sock.sendall(case.message)
        response = http.client.HTTPResponse(sock, method=case.method)
        response.begin()
        response.read()
    details = re.search('details="([^"]*)"',
                        response.getheader("Proxy-Status") or "")
    return Answer(response.status, response.getheader("Ran"),
                  details and details[1])


def is_forbidden(ran, allowed):
    if ran is None:
        return False
    method, resource = ran.rsplit(" ", 1)
    return method not in allowed[resource]


def complaints(case, direct, gated, allowed):
    refused = gated.reason is not None
    forbidden = is_forbidden(direct.ran, allowed)
    found = []
    if forbidden and not refused:
        found.append(f"THE GATE LET PASS what ran {direct.ran}")
    if forbidden != (case.wanted == "stop"):
        found.append(f"expected {case.wanted}, but the app ran {direct.ran}")
    if refused != (case.wanted != "pass"):
        found.append(f"expected {case.wanted}, but the gate said"
                     f" {gated.status} {gated.reason or 'nothing'}")
    if refused and gated.status not in REFUSALS:
        found.append("not a refusal by policy")
    if not refused and gated[:2] != direct[:2]:
        found.append(f"directly {direct.status} {direct.ran}, through the gate"
                     f" {gated.status} {gated.ran}")
    return found


def row(case, direct, gated):
    app = f"ran {direct.ran}" if direct.ran else f"{direct.status}, ran nothing"
    gate = (f"{gated.status} {gated.reason}" if gated.reason
            else f"forwarded, {gated.status}")
    if case.who:
        gate += f" (for {case.who.replace('_', ' ')})"
    return f"{case.text:<72} | {app:<20} | {gate}"


def count_seen(path):
    with open(path, "rb") as log:
        return sum(line.startswith(b"seen ") for line in log)


def read_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--direct", required=True, metavar="ADDR:PORT")
    parser.add_argument("--gate", required=True, metavar="ADDR:PORT")
    parser.add_argument("--seen", required=True, metavar="FILE",
                        help="one line 'seen ...' for each request")
    parser.add_argument("allowed", nargs="+", metavar="RESOURCE=METHOD,...")
    arguments = parser.parse_args()
    arguments.allowed = {
        name: methods.split(",") for name, _, methods in
        (item.partition("=") for item in arguments.allowed)}
    return arguments


def main():
    arguments = read_arguments()
    cases = [read_case(line.rstrip("\n")) for line in sys.stdin
             if line.strip() and not line.startswith("#")]
    before = count_seen(arguments.seen)
    forwarded = bad = 0
    for case in cases:
        direct = ask(arguments.direct, case)
        gated = ask(arguments.gate, case)
        forwarded += gated.reason is None
        print(row(case, direct, gated))
        for text in complaints(case, direct, gated, arguments.allowed):
            bad += 1
            print(f"FAIL {text}\n     {case.message!r}")
    seen = count_seen(arguments.seen) - before
    if seen != len(cases) + forwarded:
        bad += 1
        print(f"FAIL the app saw {seen - len(cases)} requests from the gate,"
              f" which forwarded {forwarded}")
    print(f"{len(cases)} cases: {len(cases) - forwarded} refused,"
          f" {forwarded} forwarded")
    sys.exit(bad != 0 or len(cases) < 12)


if __name__ == "__main__":
    main()
