#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Starts a gate again and again, asks it over TCP and a unix socket, and sends
it signals in no order, each with another configuration, now and then a bad one:
reload, reopen, tell, and at last stop, some while a reload is under way. It must
end with 0 each time, leave no socket's file, and no request that was taken may
go without its answer until the stop.
usage: signals.py GATE FOLDER PORT UPSTREAM1 UPSTREAM2 ROUNDS SEED"""
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

GATE, FOLDER, PORT, FIRST, SECOND, ROUNDS, SEED = sys.argv[1:]
CONFIG, DOOR = f"{FOLDER}/signals.ini", f"{FOLDER}/door"
ASKED = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def configure(draw, may_be_bad=True):
    def some(chance, line):
        return [line] if draw.random() < chance else []
    lines = ["[gate]", f"workers = {draw.choice([2, 2, 3])}",
             f"access_log = {FOLDER}/access.{draw.choice([1, 2])}",
             "[site]", f"listen = 127.0.0.1:{PORT}",
             *some(.5, f"listen = 127.0.0.2:{PORT}"),
             *some(.5, f"listen = unix:{DOOR} mode={draw.choice([600, 660])}"),
             "upstream = app", "[upstream app]", f"server = 127.0.0.1:{FIRST}",
             *some(.5, f"server = 127.0.0.1:{SECOND}"), *some(.3, "health = /"),
             "[location /]", f"allow = GET {draw.choice(['', 'PUT'])}"]
    if may_be_bad:
        lines += some(.1, "nonsense = 1")
    with open(CONFIG + ".new", "w") as file:
        file.write("\n".join(lines) + "\n")
    os.rename(CONFIG + ".new", CONFIG)


def ask(over, failures, family, where):
    while not over.is_set():
        with socket.socket(family) as connection:
            connection.settimeout(20)
            try:
                connection.connect(where)
            except OSError:
                time.sleep(.005)
                continue
            for number in range(3):
                try:
                    connection.sendall(ASKED)
                    answer = connection.recv(65536)
                except OSError as error:
                    answer = repr(error).encode()
                if answer.startswith(b"HTTP/1.1 200 "):
                    continue
                # one that is idle may be closed: the listener has gone
                if number == 0 or family == socket.AF_INET:
                    failures.append(answer[:80])
                break


def send(draw, gate):
    for _ in range(draw.randrange(5, 40)):
        configure(draw)
        gate.send_signal(draw.choice([signal.SIGHUP] * 3 +
                                     [signal.SIGUSR1, signal.SIGUSR2]))
        time.sleep(draw.choice([0, 0, .002, .01, .05]))


def stop(draw, gate):
    configure(draw, False)
    gate.send_signal(signal.SIGHUP)
    if draw.random() < .5:
        time.sleep(draw.random() * .02)
    gate.send_signal(signal.SIGTERM)
    if draw.random() < .3:
        gate.send_signal(signal.SIGINT)
    return gate.wait(60)


def play(draw):
    configure(draw, False)
    over, failures = threading.Event(), []
    with open(f"{FOLDER}/signals.log", "w") as log:
        gate = subprocess.Popen([GATE, "run", "-c", CONFIG], stderr=log)
    tcp = (over, failures, socket.AF_INET, ("127.0.0.1", int(PORT)))
    unix = (over, failures, socket.AF_UNIX, DOOR)
    crowd = [threading.Thread(target=ask, args=which)
             for which in [tcp] * 6 + [unix] * 2]
    time.sleep(.3)
    for one in crowd:
        one.start()
    try:
        send(draw, gate)
        seen = list(failures)
        status = stop(draw, gate)
    finally:
        over.set()
        gate.kill()
    for one in crowd:
        one.join()
    if seen:
        sys.exit(f"requests failed: {seen[:3]}")
    if status != 0 or os.path.exists(DOOR):
        with open(f"{FOLDER}/signals.log") as log:
            sys.exit(f"the gate ended with {status}\n{log.read()}")


def main():
    draw = random.Random(int(SEED))
    for number in range(int(ROUNDS)):
        try:
            play(draw)
        except SystemExit as error:
            sys.exit(f"round {number}: {error}")


main()
