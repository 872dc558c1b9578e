"""The connection to a dask cluster: the only place that knows `distributed`."""

from __future__ import annotations

import concurrent.futures
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from microtome.errors import MicrotomeError
from microtome.jobs import remote
from microtome.jobs.cluster import ConnectionLostError, Member, Scheduler

_TIMEOUT = 10.0  # seconds until a connection counts as refused
_BROKEN = (OSError, TimeoutError)  # TLS's errors and distributed's CommClosedError are OSErrors
_CLOSING = (RuntimeError, AttributeError, AssertionError, TypeError, ValueError, KeyError)


@contextmanager
def _reaching(what: str, alive: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Whatever a broken connection raises, as a ConnectionLostError."""
    from distributed.client import FutureCancelledError
    from distributed.scheduler import KilledWorker

    named = what[:1].upper() + what[1:]  # where a sentence begins with it
    try:
        yield
    except KilledWorker as error:
        raise ConnectionLostError(f"{named} was lost: its process died.") from error
    except (FutureCancelledError, concurrent.futures.CancelledError) as error:
        raise ConnectionLostError(f"The connection to {what} was lost.") from error
    except _BROKEN as error:
        raise ConnectionLostError(f"{named} cannot be reached: {str(error).rstrip('.') or type(error).__name__}.") from error
    except _CLOSING as error:
        # A client that is just being closed stumbles over its own missing parts.
        if alive():
            raise
        raise ConnectionLostError(f"The connection to {what} was lost.") from error


def _knock(address: str) -> None:
    """Raise OSError at once where nobody listens; dask itself would try again until its time is up."""
    host, _, port = address.partition("://")[2].rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=_TIMEOUT).close()


class Link:
    """A live connection; `heard` is called, in a thread of its own, with every report of our tasks."""

    def __init__(self, scheduler: Scheduler, heard: Callable[[dict[str, Any]], None]) -> None:
        """Raises InputError for what is wrong with the scheduler's description, ConnectionLostError where none answers."""
        scheduler.check()
        from distributed import Client, Security

        security = Security(
            tls_ca_file=scheduler.ca or None,
            tls_client_cert=scheduler.cert or None,
            tls_client_key=scheduler.key or None,
            require_encryption=bool(scheduler.ca),
        )
        self.topic = f"microtome-{uuid.uuid4().hex}"
        self._name = f"the cluster at {scheduler.address}"
        with _reaching(self._name):
            _knock(scheduler.address)
            self._client = Client(
                scheduler.address, security=security, timeout=_TIMEOUT, set_as_default=False, name="microtome"
            )
        # The client reconnects by itself, but forgets its tasks and topics: its first connection is the only one that counts.
        self._connection = self._client.scheduler_comm
        self._client.subscribe_topic(self.topic, lambda event: heard(event[1]))

    @property
    def alive(self) -> bool:
        """False once the first connection was cut, whether or not there is another."""
        return self._client.status == "running" and self._client.scheduler_comm is self._connection

    def _lives(self) -> bool:
        return self.alive

    def workers(self) -> list[str]:
        """The addresses of the cluster's workers."""
        if not self.alive:
            raise ConnectionLostError(f"The connection to {self._name} was lost.")
        with _reaching(self._name, self._lives):
            return list(self._client.nthreads())

    def call(self, worker: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function of `remote` on a worker, beside its tasks, and return what it returns."""
        with _reaching(f"the worker {worker}", self._lives):
            answers = self._client.run(function, *arguments, workers=[worker])
        if worker not in answers:
            raise ConnectionLostError(f"The worker {worker} does not answer.")
        return answers[worker]

    def greet(self, worker: str, marker: str, content: str) -> Member:
        """A worker's introduction; MicrotomeError where it cannot make one."""
        try:
            return remote.member(worker, self.call(worker, remote.greet, marker, content))
        except (ImportError, AttributeError, TypeError) as error:
            raise MicrotomeError(f"The worker {worker} has no Microtome of this version: it is not used. ({error})") from error

    def submit(self, worker: str, errand: dict[str, Any], done: Callable[[], None]) -> Any:
        """Give `remote.serve` an errand on this worker and no other; `done` is called in some thread at its end."""
        with _reaching(self._name, self._lives):
            future = self._client.submit(
                remote.serve,
                errand,
                key=errand["key"],
                workers=[worker],
                allow_other_workers=False,
                retries=0,
                pure=False,
            )
        future.add_done_callback(lambda _: done())
        return future

    def result(self, future: Any, worker: str) -> dict[str, Any]:
        """What serve returned. Raises ConnectionLostError where the worker died or the task was forgotten."""
        with _reaching(f"the worker {worker}", self._lives):
            returned: dict[str, Any] = future.result(timeout=_TIMEOUT)
        return returned

    def forget(self, future: Any) -> None:
        """Wait no more for a task: its worker notices, and stops it."""
        with _reaching(self._name, self._lives):
            future.cancel(force=True)

    def close(self) -> None:
        """End the connection; the cluster stays."""
        self._client.close(timeout=2)


def check(scheduler: Scheduler) -> str:
    """Connect for a moment; returns a sentence on what was found. Raises a MicrotomeError where it cannot be used."""
    link = Link(scheduler, lambda message: None)
    try:
        addresses = link.workers()
        refused = [reason for a in addresses if (reason := refusal(link, a, "", "")[1])]
    finally:
        link.close()
    if not addresses:
        return "The scheduler answers. It has no workers at present: trials begin as soon as one joins."
    usable = len(addresses) - len(refused)
    return " ".join([f"The scheduler answers; {usable} of its {len(addresses)} workers can be used.", *refused[:3]])


def refusal(link: Link, address: str, marker: str, content: str) -> tuple[Member | None, str]:
    """Greet a worker: itself, and why it cannot be used ("" where it can). Raises ConnectionLostError where it is gone."""
    import importlib.metadata

    from microtome import __version__

    try:
        member = link.greet(address, marker, content)
    except ConnectionLostError:
        raise
    except MicrotomeError as error:
        return None, error.message
    return member, member.refusal(__version__, importlib.metadata.version("torch"))
