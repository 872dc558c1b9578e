"""The options that say where trials work, and the command that tries a cluster."""

from __future__ import annotations

import argparse

from microtome.errors import InputError
from microtome.jobs.cluster import Scheduler
from microtome.terminal import finished


def add_tls(sub: argparse.ArgumentParser) -> None:
    """The files of an encrypted connection."""
    sub.add_argument("--tls-ca", default="", metavar="FILE", help="PEM certificate of the authority that the cluster trusts")
    sub.add_argument("--tls-cert", default="", metavar="FILE", help="PEM certificate of this side")
    sub.add_argument("--tls-key", default="", metavar="FILE", help="PEM key of that certificate")


def add_place(sub: argparse.ArgumentParser) -> None:
    """Where the trials of a run work."""
    sub.add_argument("--scheduler", default="", metavar="ADDRESS", help="train on a dask cluster, e.g. tls://host:8786")
    add_tls(sub)
    sub.add_argument("--send-files", action="store_true", help="send images and models even where workers see our files")


def place(options: argparse.Namespace) -> Scheduler | None:
    """The cluster that was asked for, checked; None: this computer."""
    files = (options.tls_ca, options.tls_cert, options.tls_key)
    if not options.scheduler and not any(files):
        return None
    if not options.scheduler:
        raise InputError("Certificates are given, but no cluster that they are for.", "Add --scheduler tls://host:8786.")
    scheduler = Scheduler(options.scheduler, *files, send_files=getattr(options, "send_files", False))
    scheduler.check()
    return scheduler


def cluster_command(options: argparse.Namespace) -> int:
    """`microtome cluster`: connect for a moment and say what is there."""
    scheduler = place(options)
    assert scheduler is not None  # its address is required
    from microtome.jobs.dask import check

    words = check(scheduler)
    finished({"event": "finished", "cluster": words}, as_json=options.json, sentence=words)
    return 0
