"""What a training or a search will take, told before it starts, from what runs of this project took."""

from __future__ import annotations

from microtome.search.forecast.promise import share_trained
from microtome.session import Session
from microtome.ui.channels import channels_of
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.numbers import percent, size_of, span, with_commas


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
        rounds, share = -(-trials // workers), share_trained(str(session.value("search.early_stopping")), epochs)[1]
        time = span(rounds * share * epochs * epoch_seconds(session, speed[0]))
        pairs.append((tr("Time"), tr("about {time}, if every worker is as fast as the last run", time=time)))
    else:
        pairs.append((tr("Time"), tr("known after the first epoch on this computer")))
    return pairs


def stopping_facts(session: Session) -> list[tuple[str, str]]:
    """What early stopping saves of a search's epochs, or would save; nothing where trainings are too short for it."""
    epochs, word = int(session.value("training.epochs")), str(session.value("search.early_stopping"))
    low, likely, high = share_trained("auto" if word == "none" else word, epochs)
    if likely == 1.0:
        return []
    if word == "none":
        words = tr("off; “auto” would train about {share} of the epochs", share=percent(likely, 0))
    else:
        words = tr("{low} to {high} of the epochs will be trained", low=percent(low, 0), high=percent(high, 0))
    return [(tr("Early stopping"), words)]
