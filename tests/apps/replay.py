#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Sends mixed requests to an upstream directly, and through a gate in report
mode: the responses must be the same to the byte, but for Via, Date, Connection
and how a chunked body is cut. A gate that enforces must refuse the first of
them as the table says, or leave them the same. The access log of the first is
then held to the table by `--log`.
"""
import argparse
import collections
import gzip
import json
import random
import socket
import sys

TIMEOUT = 20
FORM = "Content-Type: application/x-www-form-urlencoded"
JSON = "Content-Type: application/json"
PARTS = "Content-Type: multipart/form-data; boundary=limit"
PART = ('--limit\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        "--limit--\r\n")
# why it would be refused, method, target, field, body; # is a number
TABLE = [
    ("", "GET", "/pages/#", "", ""),
    ("", "GET", "/pages/#?q=%41+b&q=2;3", "Cookie: a=#; b", ""),
    ("", "HEAD", "/pages/#", "", ""),
    ("", "GET", "/pages/#", FORM, "text=on+a+GET"),
    ("", "POST", "/notes", FORM, "text=#&method=DELETE"),
    ("", "POST", "/notes", JSON, '{"deep": {"_method": "DELETE"}, "n": #}'),
    ("", "POST", "/notes", PARTS, PART % ("text", "_method=#")),
    ("", "POST", "/notes/#", "X-HTTP-Method-Override: GET", ""),
    ("", "POST", "/notes/#", "Content-Type: text/plain", "_method=DELETE" * 99),
    ("", "PUT", "/api/#", JSON, '{"n": #}'),
    ("", "DELETE", "/api/#", "", ""),
    ("", "POST", "/api/#?_method=DELETE", "", ""),
    ("method_not_allowed", "DELETE", "/notes/#", "", ""),
    ("method_not_allowed", "PUT", "/pages/#", JSON, '{"n": #}'),
    ("method_not_allowed", "POST", "/pages/#", FORM, "a=#"),
    ("method_not_allowed", "GET", "/drop/#", "", ""),
    ("method_not_allowed", "HEAD", "/drop/#", "", ""),
    ("method_not_allowed", "DELETE", "/pages/NOTES/../#.json", "", ""),
    ("method_unsupported", "PATCH", "/api/#", JSON, '{"n": #}'),
    ("method_unsupported", "OPTIONS", "/api/#", "Origin: http://#.example", ""),
    ("no_location", "GET", "/elsewhere/#", "", ""),
    ("no_location", "DELETE", "/Notes/#", "", ""),
    ("path_ambiguous", "GET", "//notes/#", "", ""),
    ("path_ambiguous", "GET", "/pages/../notes/#", "", ""),
    ("path_ambiguous", "GET", "/pages/%2e%2e/api/#", "", ""),
    ("path_ambiguous", "POST", "/api/..;/notes/#", "", ""),
    ("path_ambiguous", "GET", "/pages%2f..%2fapi/#", "", ""),
    ("path_ambiguous", "DELETE", "/api/%252e%252e/notes/#", "", ""),
    ("path_ambiguous", "GET", "/pages/#%00.png", "", ""),
    ("path_ambiguous", "GET", "/pages/%c0%af#", "", ""),
    ("override_not_allowed", "POST", "/notes/#?_method=DELETE", "", ""),
    ("override_not_allowed", "GET", "/pages/#?_method=BREW", "", ""),
    ("override_not_allowed", "POST", "/notes/#?.method=put", FORM, "a=#"),
    ("override_not_allowed", "POST", "/notes/#",
     "X-HTTP-Method-Override: DELETE", ""),
    ("override_not_allowed", "GET", "/pages/#", "X-HTTP-Method: MERGE", ""),
    ("override_not_allowed", "POST", "/notes/#", "X_METHOD_OVERRIDE: Put", ""),
    ("override_not_allowed", "POST", "/notes/#", FORM, "a=#&_method=DELETE"),
    ("override_not_allowed", "POST", "/notes/#", JSON,
     '{"n": #, "_meth\\u006fd": "PUT"}'),
    ("override_not_allowed", "POST", "/notes/#", PARTS,
     PART % ("_method", "delete")),
    ("override_conflict", "POST", "/notes/#?_method=GET",
     "X-HTTP-Method-Override: POST", ""),
    ("override_conflict", "POST", "/api/#?_method=PUT", FORM, "_method=GET"),
    ("override_unreadable", "POST", "/notes/#",
     FORM + "\r\nContent-Encoding: gzip", gzip.compress(b"a=1", mtime=0)),
    ("override_unreadable", "POST", "/notes/#", FORM + "; charset=utf-7", "a"),
]
STATUS = {"method_not_allowed": 405, "method_unsupported": 501,
          "no_location": 404, "path_ambiguous": 400,
          "override_not_allowed": 403, "override_conflict": 403,
          "override_unreadable": 415}

Request = collections.namedtuple("Request", "would method message")


def make_request(number, chance):
    row = TABLE[number] if number < len(TABLE) else chance.choice(TABLE)
    would, method, target, field, body = row
    if isinstance(body, str):
        body = body.replace("#", str(number)).encode()
        if method == "POST" and FORM in field and chance.random() < 0.1:
            body = b"a=" + b"x" * chance.randrange(70000) + b"&" + body
    head = [f"{method} {target} HTTP/1.1", "Host: app.example:80", field,
            f"User-Agent: replay/{number}", "Accept: text/html, */*;q=0.1"]
    if body or method in ("POST", "PUT", "PATCH"):
        head.append(f"Content-Length: {len(body)}")
    text = "\r\n".join(line for line in head if line) + "\r\n\r\n"
    return Request(would, method,
                   text.replace("#", str(number)).encode() + body)


class Connection:
    """Kept until the other side closes it."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.address = host, int(port)
        self.stream = None

    def close(self):
        if self.stream:
            self.stream.close()
            self.sock.close()
        self.stream = None

    def ask(self, request):
        if self.stream is None:
            self.sock = socket.create_connection(self.address, TIMEOUT)
            self.stream = self.sock.makefile("rb")
        self.sock.sendall(request.message)
        lines = []
        while (line := self.stream.readline()) != b"\r\n":
            if not line:
                raise EOFError(f"no answer to {request.message[:80]}")
            lines.append(line)
        fields = dict((name.lower(), value.strip()) for name, value in
                      (line.split(b":", 1) for line in lines[1:]))
        body = self.body(request, lines[0].split(b" ")[1], fields)
        if fields.get(b"connection") == b"close":
            self.close()
        return lines, body

    def body(self, request, status, fields):
        if request.method == "HEAD" or status in (b"204", b"304"):
            return b""
        if b"content-length" in fields:
            return self.stream.read(int(fields[b"content-length"]))
        body = b""
        while size := int(self.stream.readline(), 16):
            body += self.stream.read(size)
            self.stream.readline()
        self.stream.readline()
        return body


def same(direct, gated):
    dropped = b"via", b"date", b"connection"
    lines = [line for line in gated[0]
             if line.split(b":")[0].lower() not in dropped]
    return [lines, gated[1]] == list(direct)


def refused_as(request, answer):
    lines, _ = answer
    details = f'details="{request.would}"'.encode()
    return (int(lines[0].split(b" ")[1]) == STATUS[request.would]
            and any(line.startswith(b"Proxy-Status:") and details in line
                    for line in lines))


def replay(arguments, requests):
    direct, reporting, enforcing = map(Connection, (
        arguments.direct, arguments.report, arguments.enforce))
    for number, request in enumerate(requests):
        wanted = direct.ask(request)
        got = reporting.ask(request)
        if not same(wanted, got):
            sys.exit(f"FAIL {request.message!r}\n  directly {wanted}\n"
                     f"  reporting {got}")
        if number >= arguments.enforced:
            continue
        got = enforcing.ask(request)
        if not (refused_as(request, got) if request.would
                else same(wanted, got)):
            sys.exit(f"FAIL {request.message!r}\n  wanted {request.would}\n"
                     f"  enforcing {got}")


def check_log(path, requests):
    with open(path) as log:
        lines = [json.loads(line) for line in log]
    if len(lines) != len(requests):
        sys.exit(f"FAIL {len(lines)} access lines, not {len(requests)}")
    counts = collections.Counter()
    for line in lines:
        request = requests[int(line["user_agent.original"].split("/")[1])]
        would = line.get("methodgate.would_reason", "")
        flagged = "would_deny" in line.get("methodgate.flags", [])
        if (would != request.would or flagged != bool(would)
                or line.get("methodgate.would_status") != STATUS.get(would)):
            sys.exit(f"FAIL wanted {request.would!r}: {line}")
        if ("methodgate.upstream_status" not in line
                or "methodgate.reason" in line
                or "methodgate.method_sent" in line):
            sys.exit(f"FAIL not forwarded as it was: {line}")
        counts[would] += 1
    return counts


def main():
    parser = argparse.ArgumentParser()
    for name in "direct", "report", "enforce":
        parser.add_argument("--" + name, metavar="ADDR:PORT")
    parser.add_argument("--log", metavar="FILE")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--enforced", type=int, default=1000)
    arguments = parser.parse_args()
    chance = random.Random(3)
    requests = [make_request(number, chance)
                for number in range(arguments.count)]
    if arguments.direct:
        replay(arguments, requests)
    if arguments.log:
        counts = check_log(arguments.log, requests)
        for would in sorted(counts):
            print(f"{counts[would]:6} {would or 'allowed'}")


if __name__ == "__main__":
    main()
