"""The methods paragraph for a paper: what was done, from the recipe and the journal, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microtome.events import Evaluated, images_of
from microtome.results.cut_words import cut_words, image_noun
from microtome.results.fold import COUNTED, RunState
from microtome.results.scores import Score
from microtome.results.words import interval, number, percent, value_words
from microtome.search.recipe import Recipe
from microtome.slices.plan import ClassSource
from microtome.slices.trust.shortcut import CUES
from microtome.training.spec import PUBLISHED, ImportanceSpec, TrainingSpec, TransferSpec

_NETWORKS = {"cnn": "a convolutional neural network with {convolutions} convolution blocks and {dense} hidden dense layers"}
_OPTIMISERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "stochastic gradient descent"}
_BALANCED = {
    "none": "",
    "weights": ", each image weighted by the inverse of its class's number of images",
    "sampling": ", images being drawn so that each class was seen equally often",
}
_SCORES = {"loss": "loss", "probability": "probability of a wrong answer", "gradient": "loss's gradient"}


def methods(
    recipe: Recipe, state: RunState, info: dict[str, Any], independence: str, image_set: Mapping[str, Any] | None = None
) -> str:
    """The paragraph; it claims nothing that the journal and the image set's plan.json (`image_set`) do not show."""
    # The network that is told of is the one that was evaluated.
    told = recipe.with_values(state.best.parameters) if state.best is not None else recipe
    parts = [cut_words(recipe, state, image_set or {}), independence, *_trust(recipe, image_set or {}), _training(told)]
    if recipe.search is not None:
        parts.append(_search(recipe, state, info))
    parts += [_evaluation(state, f"{image_noun(recipe)}s"), _software(recipe, info)]
    return " ".join(p for p in parts if p)


def source_words(source: ClassSource) -> str:
    """Where a class's images come from."""
    parts = [base_name(v.path) for v in source.volumes]
    parts += [f"{s.kind} (simulated, seed {s.seed})" for s in source.simulated]
    parts += [base_name(path) for path in source.images]
    return ", ".join(parts)


def base_name(path: str) -> str:
    """A file's name, whichever system wrote its path."""
    return path.replace("\\", "/").rpartition("/")[2]


def network_words(recipe: Recipe) -> str:
    """The network in a few words."""
    template = _NETWORKS.get(recipe.network.name)
    return template.format(**recipe.network.parameters) if template else f"the network {recipe.network.name}"


def _trust(recipe: Recipe, image_set: Mapping[str, Any]) -> list[str]:
    """What was rejected, how near the sets come, and what a single grey value statistic tells."""
    parts = []
    rejected = sum(image_set.get("rejected", {}).values())
    if recipe.slices.reject > 0:
        parts.append(
            f"Slices with a standard deviation below {recipe.slices.reject:g} of their volume's were rejected ({rejected})."
        )
    leak = image_set.get("leak") or {}
    if distance := leak.get("distance"):
        unit = "voxels" if distance["unit"] == "voxel" else distance["unit"]
        parts.append(
            f"Planes of different sets came no nearer than {distance['length']:.3g} {unit} to each other and shared "
            f"{percent(leak['shared']['share'])} of the voxels they touched."
        )
    if leak.get("verdict") in ("doubtful", "leaking"):
        parts.append(f"The independence of the sets is {'doubtful' if leak['verdict'] == 'doubtful' else 'not given'}.")
    told = [s for s in image_set.get("shortcuts", ()) if s["strength"] != "none"]
    if told:
        best = max(told, key=lambda s: float(s["accuracy"]))
        parts.append(
            f"A linear classifier that saw only {CUES[best['cue']]} told {percent(best['accuracy'])} of the validation "
            f"{image_noun(recipe)}s (95 % interval {interval(*best['interval'])}, n = {best['n']}; "
            f"chance {percent(best['chance'])})."
        )
    return parts


def _training(recipe: Recipe) -> str:
    training = recipe.training
    text = (
        f"{network_words(recipe)[:1].upper()}{network_words(recipe)[1:]} was trained for up to {training.epochs} epochs with "
        f"{_optimiser(training)} (batches of {training.batch_size}, learning rate "
        f"{number(training.learning_rate)}, {training.schedule} schedule{_decay(training)}) to minimise {_loss(training)}"
    )
    if training.symmetries:
        text += ", each image being seen under a random flip and quarter turn"
    if training.augmentations:
        names = ", ".join(_augmentation(item) for item in training.augmentations)
        text += f"; whenever an image was seen in training, it was augmented at random by {names}"
    best = "R²" if training.target == "value" else "mean class accuracy"
    kept = f"; the weights of the epoch with the highest {best} on the validation set were kept."
    return " ".join([text + kept, *_first_weights(recipe.transfer), *_special(training, recipe.importance)])


def _optimiser(training: TrainingSpec) -> str:
    moved = training.optimizer == "sgd" and training.momentum > 0
    with_words = f" with Nesterov's momentum {number(training.momentum)}" if moved else ""
    return _OPTIMISERS[training.optimizer] + with_words


def _decay(training: TrainingSpec) -> str:
    return f", weight decay {number(training.weight_decay)}" if training.weight_decay > 0 else ""


def _loss(training: TrainingSpec) -> str:
    if training.target != "value":
        smoothed = f" of labels smoothed by {number(training.label_smoothing)}" if training.label_smoothing > 0 else ""
        return f"the cross entropy{smoothed}{_BALANCED[training.balance]}"
    error = "Huber's error" if training.value_loss == "huber" else "the mean squared error"
    return f"{error} of the volumes' values, standardised over the training images"


def _first_weights(transfer: TransferSpec) -> list[str]:
    """Where the first weights came from, what of them was trained, and to what size images were brought."""
    parts = []
    if transfer.weights:
        named = base_name(transfer.file) if transfer.file else transfer.weights
        source = "those published by its authors" if transfer.weights == PUBLISHED else named
        trained = {"all": "all weights were", "head": "the head alone was"}.get(
            transfer.train, f"the last {transfer.blocks} blocks and the head were"
        )
        slow = "" if transfer.train == "head" else f", pretrained ones at {number(transfer.backbone_rate)} of the learning rate"
        parts.append(f"It began with pretrained weights ({source}), of which {trained} trained{slow}.")
    elif transfer.train != "all":
        parts.append("Part of the network kept its random first weights.")
    if transfer.head_epochs and transfer.train != "head":
        parts.append(f"The head alone was trained at first ({_epochs(transfer.head_epochs)}).")
    if transfer.image_size:
        parts.append(f"The network saw the slices resized to {transfer.image_size} × {transfer.image_size} pixels.")
    return parts


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count} epochs"


def _special(training: TrainingSpec, importance: ImportanceSpec) -> list[str]:
    """What else decided which weights were kept, and which looks of the images were learnt from."""
    parts = []
    if training.ema > 0:
        parts.append(
            f"What was measured and kept is the exponential moving average of the weights (decay up to {number(training.ema)})."
        )
    if training.patience:
        parts.append(f"Training was to end after {_epochs(training.patience)} without a better one.")
    if importance.candidates > 1:
        parts.append(
            f"Of {importance.candidates} candidates of an image, itself and augmented looks, one was drawn by its "
            f"{_SCORES[importance.score]} under the network in training (importance-sampled augmentation, JP7160416B2)."
        )
    return parts


def settings_words(table: Mapping[str, Any]) -> str:
    """An augmentation's settings in a few words: `dose 50, spread 10`; "–" where it has none."""
    return ", ".join(f"{key.replace('_', ' ')} {number(value)}" for key, value in table.items() if key != "name") or "–"


def _augmentation(table: Mapping[str, Any]) -> str:
    words = str(table["name"]).replace("-", " ")
    return f"{words} ({settings_words(table)})" if len(table) > 1 else words


def _search(recipe: Recipe, state: RunState, info: Mapping[str, Any]) -> str:
    assert recipe.search is not None
    names = ", ".join(name.rpartition(".")[2].replace("_", " ") for name in recipe.search.table)
    ended = state.ended_trials()
    whole = sum(1 for trial in ended if trial.outcome in COUNTED)
    used = (str(p["name"]) for p in info.get("plugins", ()) if p.get("kind") == "search")  # what “auto” stood for then
    engine, seed = next(used, recipe.search.algorithm), recipe.search.seed
    text = f"The settings {names} were optimised by the engine {engine} over {len(ended)} trials (seed {seed})"
    text += f", {whole} of which were trained to their ends" if whole < len(ended) else ""
    best = state.best
    if best is None or best.value is None:
        return text + "."
    chosen = ", ".join(f"{n.rpartition('.')[2].replace('_', ' ')} = {number(v)}" for n, v in best.parameters.items())
    found = f"{_validated(state, best.value)}; {chosen}"
    if state.ranked is None:
        return f"{text}; trial {best.number} was best on the validation set ({found})."
    seeds = len({event.seed for event in state.retrained})
    text += (
        f"; the best {len(state.ranked.means)} trials were trained again with {seeds} fresh seeds on freshly drawn slices, and "
        f"trial {best.number} was taken (in the search {found}). {state.ranked.words}"
    )
    return text


def _validated(state: RunState, value: float) -> str:
    score = Score.of(list(state.trials.values()))
    if state.objective == "loss":
        return f"loss {score.words(-value)}"
    return f"R² {score.words(value)}" if score.kind == "R²" else score.words(value)


def _evaluation(state: RunState, images: str) -> str:
    found = state.evaluated
    if found is None:
        return "The evaluation set was not opened."
    if found.r2 is not None:
        beside = "".join(f"; {name} reached R² {value:.3f} on the same {images}" for name, value in found.baseline.items())
        return (
            "On the evaluation set, which was opened once and served for no choice, the values of the volumes were told with "
            f"{value_words(found)}{beside}. {found.caution}"
        )
    n = images_of(found.per_class)
    text = (
        f"On the evaluation set, which was opened once and served for no choice, the mean class accuracy was "
        f"{percent(found.accuracy)} (95 % interval {interval(*found.interval)}, n = {n} {images})"
    )
    if found.baseline:
        name, accuracy = max(found.baseline.items(), key=lambda item: item[1])
        text += f"; the best baseline ({_set(found, name)}) reached {percent(accuracy)} on the same {images}"
        if name in found.baseline_gains:
            gain, low, high = found.baseline_gains[name]
            text += f" (paired difference {100 * gain:+.1f} points, 95 % interval {100 * low:+.1f} to {100 * high:+.1f})"
    return f"{text}. The interval covers the choice of {images}, not that of the specimen or of the training seed."


def _set(found: Evaluated, name: str) -> str:
    """A baseline with how it was set."""
    details = found.baseline_details.get(name, "")
    return f"{name}, {details}" if details else name


def _software(recipe: Recipe, info: dict[str, Any]) -> str:
    versions = info.get("versions", {})
    named = [f"{name} {versions[name]}" for name in ("python", "torch", "numpy") if name in versions]
    seeds = f"seeds: slices {recipe.slices.seed}, training {recipe.training.seed}"
    with_words = f" with {', '.join(named)}" if named else ""
    return f"Software: Microtome {versions.get('microtome', '')}{with_words}; {seeds}."
