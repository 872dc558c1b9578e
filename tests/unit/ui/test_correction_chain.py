"""The chain of corrections while it is edited: what must be measured again, where a new one goes, what undo brings back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from microtome.store.project import VolumeEntry
from microtome.ui.correction_chain import Chain, Link, link_of, links_of


def names(chain: Chain) -> list[str]:
    return [link.name for link in chain.links]


def test_a_new_correction_goes_where_it_usually_stands() -> None:
    chain = Chain()
    for name in ("denoise", "align", "crop"):
        chain.add(Link(name=name))
    assert names(chain) == ["crop", "align", "denoise"]
    assert chain.unusual() == []
    chain.move(2, -1)
    ((first, second),) = chain.unusual()
    assert (first.name, second.name) == ("denoise", "align")


def test_slice_numbers_that_were_seen_after_a_crop_stay_behind_it() -> None:
    chain = Chain((Link(name="crop", settings={"z_from": 5}), Link(name="denoise")))
    assert chain.add(Link(name="exclude", settings={"slices": "3"}), seen=True) == 2
    plain = Chain((Link(name="denoise"),))
    assert plain.add(Link(name="exclude", settings={"slices": "3"}), seen=True) == 0


def test_what_was_measured_is_forgotten_where_it_no_longer_holds() -> None:
    known = {"positions": [[0.0, 0.0]]}
    chain = Chain((Link(name="crop"), Link(name="align", known=known), Link(name="denoise")))
    assert chain.waiting() == []
    chain.set(2, "radius", 2.0)
    assert chain.waiting() == [], "what comes later does not matter"
    chain.set(1, "edges", "repeat")
    assert chain.waiting() == [], "the measuring does not look at the edges"
    chain.set(1, "reach", 2)
    assert chain.waiting() == [1]
    chain.undo()
    assert chain.waiting() == []
    chain.set(0, "z_from", 3)
    assert chain.waiting() == [1], "other voxels are aligned now"
    assert chain.ready() == 1
    chain.know(1, known)
    chain.switch(0, False)
    assert chain.waiting() == [1]
    chain.know(1, known)
    chain.set(0, "z_from", 7)
    assert chain.waiting() == [], "what is switched off does not matter"


def test_defaults_are_not_written_down() -> None:
    chain = Chain((Link(name="denoise", settings={"radius": 2.0}),))
    chain.set(0, "radius", 1.0)
    assert chain.steps() == [{"name": "denoise"}]


def test_a_link_whose_plugin_is_gone_can_still_be_removed() -> None:
    chain = Chain((Link(name="nowhere", settings={"a": 1}),))
    assert chain.links[0].title == "nowhere"
    assert chain.waiting() == []
    chain.set(0, "a", 2)
    chain.remove(0)
    assert chain.links == ()


moves = st.one_of(
    st.tuples(st.just("switch"), st.integers(0, 4), st.booleans()),
    st.tuples(st.just("move"), st.integers(0, 4), st.sampled_from((-1, 1))),
    st.tuples(st.just("remove"), st.integers(0, 4), st.none()),
    st.tuples(st.just("add"), st.sampled_from(("crop", "align", "denoise", "tilt", "brightness")), st.none()),
)


@given(st.lists(moves, max_size=12))
def test_every_change_is_undone_and_every_chain_survives_being_kept(steps: list[tuple[str, object, object]]) -> None:
    chain = Chain()
    states = [chain.links]
    for what, where, how in steps:
        if what == "add":
            chain.add(Link(name=str(where)))
        elif int(str(where)) >= len(chain.links):
            continue
        elif what == "switch":
            chain.switch(int(str(where)), bool(how))
        elif what == "move":
            at = int(str(where))
            if not 0 <= at + int(str(how)) < len(chain.links):
                continue
            chain.move(at, int(str(how)))
        else:
            chain.remove(int(str(where)))
        states.append(chain.links)
        entry = VolumeEntry(id="a", name="a", options={"transforms": chain.steps()}, aside=tuple(chain.aside()))
        again = VolumeEntry.from_json(entry.to_json())
        assert links_of(again) == chain.links
    for before in reversed(states[:-1]):
        chain.undo()
        assert chain.links == before
    assert not chain.can_undo


def test_a_step_and_its_link_are_the_same() -> None:
    step = {"name": "align", "reach": 2, "known": {"positions": []}}
    assert link_of(step).step() == step
