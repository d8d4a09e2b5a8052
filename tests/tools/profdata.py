#!/usr/bin/env python3
"""Writes cox/release.profdata, the profile that releases are compiled with (.cargo/rustc): profdata.py.

A release that counts is built into target/profiled, and does every work of the bench on the embedded store and on etcd. What it
counted, merged, is the profile: where the busy paths of each function lead, and which calls are worth to be made part of their
callers. To be run again when a hot path has been rewritten, or when another compiler or other dependencies have given the functions
other names; afterwards tests/tools/symbols.py.

The counts are merged by LLVM's llvm-profdata, at least as new as rustc's: LLVM_PROFDATA names it, else rustup's component
`llvm-tools` has it, else it is fetched.
"""

import glob
import os
import re
import shutil
import subprocess
import tempfile

from servers import BENCH, ROOT, TARGET, TOOLS, cargo_build, etcd, fetch, run

PROFILE = os.path.join(ROOT, "cox", "release.profdata")
PROFILED = os.path.join(TARGET, "profiled")


def rustc(*arguments):
    return subprocess.run(["rustc", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def llvm_profdata():
    """The program that merges counts."""
    if "LLVM_PROFDATA" in os.environ:
        return os.environ["LLVM_PROFDATA"]
    host = re.search(r"^host: (\S+)", rustc("-vV"), re.M)[1]
    of_rustup = os.path.join(rustc("--print", "sysroot").strip(), "lib", "rustlib", host, "bin", "llvm-profdata")
    if os.path.exists(of_rustup):
        return of_rustup
    fetch("llvm-profdata")
    return os.path.join(TOOLS, "llvm-profdata")


def main():
    merge = llvm_profdata()
    fetch("etcd")
    cargo_build("-p", "bench")
    cargo_build("-p", "cox", "--bin", "cox", CARGO_TARGET_DIR=PROFILED, COX_PROFILE_TO=os.path.join(PROFILED, "counts"))
    cox = os.path.join(PROFILED, "release", "cox")
    load = [BENCH, "requests"]
    with tempfile.TemporaryDirectory() as folder, etcd() as in_etcd:
        counted = {"LLVM_PROFILE_FILE": os.path.join(folder, "%p.profraw")}
        run([cox, "apiserver"], os.path.join(folder, "embedded"), [load], **counted)
        run([cox, "apiserver", *in_etcd], os.path.join(folder, "on-etcd"), [load], **counted)
        counts = glob.glob(os.path.join(folder, "*.profraw"))
        # Functions that never ran are left out, so that they are compiled as if there were no profile.
        subprocess.run([merge, "merge", "--sparse", "-o", PROFILE, *counts], check=True)
    # cargo does not know that what it has compiled is out of date.
    shutil.rmtree(os.path.join(TARGET, "release"))
    print(f"{PROFILE}: {os.path.getsize(PROFILE):,} bytes")


if __name__ == "__main__":
    main()
