#!/usr/bin/env python3
"""Writes cox/symbols.txt, the order of functions in a release for the linker: symbols.py [--check].

A release is built, and runs under valgrind: it starts on the embedded store and on etcd, then every work of the bench is done a few
times. The functions that ran, in the order of these parts, are the file. To be run again when `bench requests --works memory` finds
that a ready server has grown: another compiler or other dependencies have given the functions other names.

With --check nothing is written: it says how many of the names the release has.
"""

import os
import re
import subprocess
import sys
import tempfile

from servers import BENCH, COX, ROOT, TOOLS, cargo_build, etcd, fetch, run

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
    profile = os.path.join(folder, part + ".out")
    command = [os.path.join(TOOLS, "valgrind"), "--tool=callgrind", "--demangle=no", f"--callgrind-out-file={profile}",
               COX, "apiserver", *flags]
    run(command, os.path.join(folder, part), load)
    return functions(profile)


def symbols():
    """All names that the release has."""
    listed = subprocess.run(["nm", COX], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1] for line in listed.splitlines()}


def main():
    cargo_build("-p", "cox", "-p", "bench")
    if sys.argv[1:] == ["--check"]:
        wanted, there = open(ORDER).read().split(), symbols()
        print(f"{sum(name in there for name in wanted)} of {len(wanted)} names are in {COX}")
        return
    fetch("etcd", "valgrind")
    works = "memory,raw,get,update,patch,list,watch,mixed,apply,idle,delete"
    bench = [BENCH, "requests", "--quick", "--works", works]
    with tempfile.TemporaryDirectory() as folder, etcd() as in_etcd:
        parts = ran(folder, "start", [])
        parts += ran(folder, "etcd-start", in_etcd)
        parts += ran(folder, "load", [], bench)
    # valgrind has names of its own for some: `(below main)`.
    order = [name for name in dict.fromkeys(parts) if " " not in name]
    with open(ORDER, "w") as out:
        out.writelines(name + "\n" for name in order)
    print(f"{len(order)} functions")


if __name__ == "__main__":
    main()
