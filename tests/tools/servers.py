"""Releases of this project that the scripts beside this run and load, and the etcd under them."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
TARGET = os.path.join(ROOT, "target")
TOOLS = os.path.join(TARGET, "tools", "bin")
COX = os.path.join(TARGET, "release", "cox")
BENCH = os.path.join(TARGET, "release", "bench")


def cargo_build(*arguments, **environment):
    """Builds a release; `environment` is added to this process's."""
    subprocess.run(["cargo", "build", "--release", *arguments], cwd=ROOT, check=True, env={**os.environ, **environment})


def fetch(*programs):
    """Brings programs into `TOOLS`."""
    subprocess.run([sys.executable, os.path.join(ROOT, "tests", "tools", "fetch.py"), TOOLS, *programs], check=True)


def run(command, data, load=None, **environment):
    """Starts a server with its data in a folder, runs a program with its kubeconfig, and ends it."""
    server = subprocess.Popen([*command, "--secure-port", "0", "--data-dir", data], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, env={**os.environ, **environment})
    try:
        if not server.stdout.readline():
            sys.exit(f"the server does not start: {' '.join(command)}")
        if load:
            subprocess.run([*load, "--kubeconfig", os.path.join(data, "kubeconfig")], check=True, stdout=subprocess.DEVNULL)
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate()


def free_ports(count):
    """Ports nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listening.getsockname()[1] for listening in sockets]
    for listening in sockets:
        listening.close()
    return ports


@contextlib.contextmanager
def etcd():
    """An etcd of its own, as the flags with which a server stores in it."""
    url, peers = (f"http://127.0.0.1:{port}" for port in free_ports(2))
    with tempfile.TemporaryDirectory() as folder:
        command = [os.path.join(TOOLS, "etcd"), "--data-dir", folder, "--listen-client-urls", url,
                   "--advertise-client-urls", url, "--listen-peer-urls", peers, "--log-level", "error"]
        store = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            yield ["--etcd-servers", url]
        finally:
            store.terminate()
            store.wait()
