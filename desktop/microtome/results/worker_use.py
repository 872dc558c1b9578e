"""How well the workers of a search were used: busy time, gaps, what early starts brought and cost."""

from __future__ import annotations

from dataclasses import dataclass

from microtome.results.fold import RunState, TrialState


@dataclass(frozen=True)
class WorkerUse:
    """Seconds and counts; `busy` is the share of the time between each worker's first and last work that it worked.

    Time in which the run was paused, or had no driver, is neither gap nor room.
    """

    workers: int = 0
    busy: float = 0.0
    longest_gap: float = 0.0
    gaps: tuple[tuple[int, float, float], ...] = ()  # worker, from, to: those above `worker_use`'s `least`
    begun_early: int = 0
    kept: int = 0
    kept_seconds: float = 0.0
    dropped: int = 0
    dropped_seconds: float = 0.0
    reused: int = 0
    promotions: int = 0


def worker_use(state: RunState, least: float = 1.0) -> WorkerUse:
    """Read a run's spans; a span that is still open ends now (at the newest event), gaps count from `least` seconds.

    What speculation saved is the early time of the trials that were kept: they were trained while the workers would have
    waited. What it cost is that of those that were dropped. What a trial was trained before or after in its turn is neither.
    """
    spans: dict[int, list[tuple[float, float]]] = {}
    now = state.ended or state.updated
    for trial in state.trials.values():
        for worker, start, stop in trial.spans:
            if worker > 0:
                spans.setdefault(worker, []).append((start, stop if stop >= start else max(start, now)))
    worked = room = longest = 0.0
    gaps: list[tuple[int, float, float]] = []
    for worker, parts in spans.items():
        parts.sort()
        worked += sum(stop - start for start, stop in parts)
        end = parts[0][1]
        for start, stop in parts[1:]:
            idle = _idle(state, end, start)
            longest = max(longest, idle)
            if idle >= least:
                gaps.append((worker, end, start))
            room -= max(0.0, start - end) - idle
            end = max(end, stop)
        room += end - parts[0][0]
    early = [t for t in state.trials.values() if t.early]
    dropped = [t for t in early if t.outcome == "dropped"]
    kept = [t for t in early if t.outcome not in ("dropped", "waiting", "running")]
    return WorkerUse(
        workers=len(spans),
        busy=min(1.0, worked / room) if room > 0 else 0.0,
        longest_gap=max(0.0, longest),
        gaps=tuple(gaps),
        begun_early=len(early),
        kept=len(kept),
        kept_seconds=sum(map(_early_seconds, kept)),
        dropped=len(dropped),
        dropped_seconds=sum(map(_early_seconds, dropped)),
        reused=sum(t.outcome == "reused" for t in state.trials.values()),
        promotions=sum(t.promotions for t in state.trials.values()),
    )


def _idle(state: RunState, start: float, end: float) -> float:
    """Seconds between two pieces of work in which there was a driver that let them begin."""
    rests = sum(max(0.0, min(end, last) - max(start, first)) for first, last in state.breaks)
    return max(0.0, end - start - rests)


def _early_seconds(trial: TrialState) -> float:
    return sum(max(0.0, stop - start) for _, start, stop in (trial.spans[i] for i in trial.early))
