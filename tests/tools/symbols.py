#!/usr/bin/env python3
"""Writes cox/symbols.txt, the order of functions in a release for the linker: symbols.py [--check].

A release is built, and runs under valgrind: it starts on the embedded store and on etcd, then every work of the bench is done a few
times. The functions that ran, in the order of these parts, are the file. To be run again when `bench requests --works memory` finds
that a ready server has grown: another compiler or other dependencies have given the functions other names.

With --check nothing is written: it says how many of the names the release has.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
TOOLS = os.path.join(ROOT, "target", "tools", "bin")
COX = os.path.join(ROOT, "target", "release", "cox")
BENCH = os.path.join(ROOT, "target", "release", "bench")
ORDER = os.path.join(ROOT, "cox", "symbols.txt")


def functions(profile):
    """The names of the functions of the program itself that ran."""
    names, objects, found, here = {}, {}, [], False
    for line in open(profile):
        match = re.match(r"(c?ob|c?fn)=\((\d+)\)(?: (.*))?$", line.rstrip("\n"))
        if not match:
            continue
        kind, number, name = match.groups()
        table = objects if kind.endswith("ob") else names
        if name is not None:
            table[number] = name
        if kind == "ob":
            here = table[number] == COX
        elif kind == "fn" and here:
            # A function that calls itself is counted apart: `name'2`.
            found.append(re.sub(r"'\d+$", "", table[number]))
    return found


def ran(folder, part, flags, load=None):
    """The functions of a server that starts, does the load and ends."""
    data, profile = os.path.join(folder, part), os.path.join(folder, part + ".out")
    command = [os.path.join(TOOLS, "valgrind"), "--tool=callgrind", "--demangle=no", f"--callgrind-out-file={profile}",
               COX, "apiserver", "--secure-port", "0", "--data-dir", data, *flags]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        if not server.stdout.readline():
            sys.exit(f"the server does not start: {' '.join(command)}")
        if load:
            subprocess.run([*load, "--kubeconfig", os.path.join(data, "kubeconfig")], check=True, stdout=subprocess.DEVNULL)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
    return functions(profile)


def free_ports(count):
    """Ports nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listening.getsockname()[1] for listening in sockets]
    for listening in sockets:
        listening.close()
    return ports


def etcd(folder):
    """An etcd of its own, and where it listens."""
    url, peers = (f"http://127.0.0.1:{port}" for port in free_ports(2))
    command = [os.path.join(TOOLS, "etcd"), "--data-dir", os.path.join(folder, "etcd"), "--listen-client-urls", url,
               "--advertise-client-urls", url, "--listen-peer-urls", peers, "--log-level", "error"]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL), url


def symbols():
    """All names that the release has."""
    listed = subprocess.run(["nm", COX], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1] for line in listed.splitlines()}


def main():
    subprocess.run(["cargo", "build", "--release", "-p", "cox", "-p", "bench"], cwd=ROOT, check=True)
    if sys.argv[1:] == ["--check"]:
        wanted, there = open(ORDER).read().split(), symbols()
        print(f"{sum(name in there for name in wanted)} of {len(wanted)} names are in {COX}")
        return
    fetch = os.path.join(ROOT, "tests", "tools", "fetch.py")
    subprocess.run([sys.executable, fetch, TOOLS, "etcd", "valgrind"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        parts = ran(folder, "start", [])
        store, url = etcd(folder)
        try:
            parts += ran(folder, "etcd-start", ["--etcd-servers", url])
        finally:
            store.terminate()
            store.wait()
        works = "memory,raw,get,update,patch,list,watch,mixed,apply,idle,delete"
        parts += ran(folder, "load", [], [BENCH, "requests", "--quick", "--works", works])
    # valgrind has names of its own for some: `(below main)`.
    order = [name for name in dict.fromkeys(parts) if " " not in name]
    with open(ORDER, "w") as out:
        out.writelines(name + "\n" for name in order)
    print(f"{len(order)} functions")


if __name__ == "__main__":
    main()
