"""What a search is after, in a line: its engine, what the value of a trial is, and by what rules trials end early."""

from __future__ import annotations

from microtome.registry import registry
from microtome.search.recipe import Recipe, SearchSpec
from microtome.ui.i18n import tr


def engine_words(name: str) -> str:
    """An engine by its label; one that is no longer installed by its name."""
    if name == "auto":
        return tr("Automatic")
    labels = {plugin.name: plugin.label for plugin in registry().of_kind("search")}
    return tr(labels.get(name, name))


def value_words(recipe: Recipe, search: SearchSpec) -> str:
    """What the value of a trial is."""
    if search.objective == "loss":
        return tr("minus the loss on the validation set")
    if recipe.training.target == "value":
        return tr("R² on the validation set")
    if search.objective == "worst":
        return tr("accuracy of the worst class on the validation set")
    return tr("mean accuracy of the classes on the validation set")


def choice_words() -> dict[str, list[tuple[str, str]]]:
    """Field → (choice, its words), where the recipe's own words are too short for a page."""
    return {
        "objective": [("mean", tr("mean accuracy")), ("worst", tr("worst class")), ("loss", tr("loss"))],
        "second": [("none", tr("none")), ("seconds", tr("training time")), ("parameters", tr("network weights"))],
        "early_stopping": [
            ("none", tr("none")),
            ("auto", tr("auto")),
            ("asha", tr("ASHA: wait")),
            ("asha-stop", tr("ASHA: end")),
            ("median", tr("median rule")),
            ("curve", tr("learning curve")),
        ],
    }


def about_words(recipe: Recipe) -> str:
    """The line below a search's head; "" where the recipe is of no search."""
    search = recipe.search
    if search is None:
        return ""
    words = choice_words()
    parts = [
        tr("Engine: {name}", name=engine_words(search.algorithm)),
        tr("Value: {words}", words=value_words(recipe, search)),
    ]
    if "training.epochs" not in search.table:
        parts.append(tr("{n} epochs a trial", n=recipe.training.epochs))
    if search.early_stopping != "none":
        parts.append(tr("Early stopping: {name}", name=dict(words["early_stopping"])[search.early_stopping]))
    if search.second != "none":
        parts.append(tr("Second objective: {name}", name=dict(words["second"])[search.second]))
    return " · ".join(parts)
