"""What a training or a search will take, told before it starts, from what runs of this project took."""

from __future__ import annotations

from microtome.session import Session
from microtome.ui.channels import channels_of
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.numbers import size_of, span, with_commas


def last_speed(desk: Desk) -> tuple[float, str]:
    """(images a second of one trial in training, the run's name) as last measured in this project; (0, "") where never."""
    for tail in reversed(desk.tails.all()):
        speeds = [t.epochs[-1].images_per_second for t in tail.state.trials.values() if t.epochs]
        if speeds:
            return sorted(speeds)[len(speeds) // 2], tail.run.name
    return 0.0, ""


def images_an_epoch(session: Session) -> int:
    """Training images of all classes."""
    return int(session.value("slices.train")) * len(session.classes())


def epoch_seconds(session: Session, speed: float) -> float:
    """An epoch at `speed` images a second; asking about an image costs a third of learning from it."""
    validation = int(session.value("slices.validation")) * len(session.classes())
    return (images_an_epoch(session) + validation / 3) / speed


def memory_bytes(session: Session) -> int:
    """Of the images that a training holds: float32, training and validation."""
    a_class = int(session.value("slices.train")) + int(session.value("slices.validation"))
    return a_class * len(session.classes()) * channels_of(session) * int(session.value("slices.pixels")) ** 2 * 4


def search_facts(session: Session, speed: tuple[float, str]) -> list[tuple[str, str]]:
    """Name and value pairs for a search."""
    trials, epochs = int(session.value("search.budget")), int(session.value("training.epochs"))
    workers = int(session.value("search.workers"))
    images = images_an_epoch(session)
    pairs = [
        (tr("Work"), tr("{n} trials × {e} epochs × {k} images", n=trials, e=epochs, k=with_commas(images))),
        (
            tr("Memory"),
            tr("about {size} for the images of {n} workers", size=size_of(memory_bytes(session) * workers), n=workers),
        ),
    ]
    if speed[0] > 0:
        rounds = -(-trials // workers)
        time = span(rounds * epochs * epoch_seconds(session, speed[0]))
        pairs.append((tr("Time"), tr("about {time}, if every worker is as fast as the last run", time=time)))
    else:
        pairs.append((tr("Time"), tr("known after the first epoch on this computer")))
    return pairs
