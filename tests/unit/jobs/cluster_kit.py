"""A real cluster on this computer: a scheduler and workers as processes, with certificates made for it, and a wire to cut."""

from __future__ import annotations

import datetime
import ipaddress
import os
import select
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from microtome.jobs.cluster import Scheduler

HERE = Path(__file__).parent


def certificates(folder: Path, name: str = "node") -> tuple[Path, Path, Path]:
    """An authority, and one certificate of it for 127.0.0.1 with its key, as PEM files."""
    folder.mkdir(parents=True, exist_ok=True)
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=5)

    def certificate(subject: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey) -> bytes:
        authority = subject == issuer
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        )
        return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    files = folder / "ca.pem", folder / f"{name}.pem", folder / f"{name}-key.pem"
    files[0].write_bytes(certificate("authority", authority_key, "authority", authority_key))
    files[1].write_bytes(certificate(name, key, "authority", authority_key))
    files[2].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Cluster:
    """A scheduler and its workers, each a process of its own, encrypted."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.folder = folder
        self.files = [str(f) for f in certificates(folder / "tls")]
        self.port = free_port()
        self.address = f"tls://127.0.0.1:{self.port}"
        self.workers: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start("dask_scheduler", "--port", str(self.port), "--no-dashboard", "--no-show")
        while not self._listens():
            threading.Event().wait(0.05)
        for _ in range(workers):
            self.join()

    def _listens(self) -> bool:
        assert self.scheduler.poll() is None, self.logs()
        with socket.socket() as caller:
            return caller.connect_ex(("127.0.0.1", self.port)) == 0

    def join(self) -> subprocess.Popen[bytes]:
        """Start one more worker."""
        home = self.folder / f"worker-{len(self.workers)}"
        home.mkdir(parents=True, exist_ok=True)
        worker = self._start(
            "dask_worker", self.address, "--no-nanny", "--nthreads", "1", "--no-dashboard", "--local-directory", str(home)
        )
        self.workers.append(worker)
        return worker

    def place(self, port: int | None = None, *, send_files: bool = False) -> Scheduler:
        """How to reach it, perhaps through a wire at another port."""
        ca, cert, key = self.files
        return Scheduler(f"tls://127.0.0.1:{port or self.port}", ca, cert, key, send_files=send_files)

    def logs(self) -> str:
        """What the processes wrote."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))

    def close(self) -> None:
        """End all of it."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()

    def _start(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        tls = [w for n, f in zip(("ca-file", "cert", "key"), self.files, strict=True) for w in (f"--tls-{n}", f)]
        environment = {
            **os.environ,
            "PYTHONPATH": str(HERE),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
            "OMP_NUM_THREADS": "1",
            "MICROTOME_HOME": str(self.folder / "home"),
        }
        with open(self.folder / f"{module}-{len(self.workers)}.log", "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", f"distributed.cli.{module}", *arguments, *tls],
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )


def busiest(cluster: Cluster) -> psutil.Process:
    """The worker that has used most of the processor: the one that trains."""
    alive = [psutil.Process(w.pid) for w in cluster.workers if w.poll() is None]
    return max(alive, key=lambda p: sum(p.cpu_times()[:2]))


class Wire:
    """A TCP connection through us, that can be cut and mended."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._whole = True
        self._closed = False
        self._broken = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Break all connections and accept no more; returns when that is done."""
        self._broken.clear()
        self._whole = False
        self._broken.wait()

    def mend(self) -> None:
        """Accept connections again."""
        self._whole = True

    def close(self) -> None:
        """End it."""
        self._closed = True
        self._thread.join()

    def _serve(self) -> None:
        while not self._closed:
            if not self._whole:
                self._drop_all()
                self._broken.set()
            sources = [self._listener, *(s for pair in self._pairs for s in pair)]
            for source in select.select(sources, [], [], 0.05)[0]:
                if source is self._listener:
                    self._accept()
                else:
                    self._forward(source)
        self._drop_all()
        self._listener.close()

    def _accept(self) -> None:
        here, _ = self._listener.accept()
        if not self._whole:
            here.close()
            return
        self._pairs.append((here, socket.create_connection(("127.0.0.1", self._target))))

    def _forward(self, source: socket.socket) -> None:
        pair = next((p for p in self._pairs if source in p), None)
        if pair is None:
            return
        other = pair[1] if source is pair[0] else pair[0]
        try:
            data = source.recv(65536)
            if data:
                other.sendall(data)
                return
        except OSError:
            pass
        self._pairs.remove(pair)
        for end in pair:
            end.close()

    def _drop_all(self) -> None:
        for pair in self._pairs:
            for end in pair:
                end.close()
        self._pairs.clear()
