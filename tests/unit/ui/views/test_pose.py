"""The free plane: its four numbers, what of it lies in the volume, its traces, its handles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microtome.slices.geometry import PLANES
from microtome.ui.views.pose import NAMED, Pose, random_pose, section, trace

POSES = st.builds(Pose, st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180), st.floats(-3, 3, allow_subnormal=False))
EDGES = st.tuples(*[st.floats(5, 500)] * 3).map(np.array)


@pytest.mark.parametrize("name", ["xy", "xz", "yz"])
def test_named_poses_are_the_fixed_planes(name: str) -> None:
    assert NAMED[name].axes == pytest.approx(np.array(PLANES[name]), abs=1e-12)
    found = section(NAMED[name], np.array([10.0, 20.0, 30.0]))
    assert found is not None
    assert found[0] == pytest.approx([0, 0, 0], abs=1e-9)
    assert found[1] == pytest.approx({"xy": (20, 30), "xz": (10, 30), "yz": (10, 20)}[name])


@given(POSES)
def test_axes_are_a_right_handed_frame_and_lead_back_to_the_pose(pose: Pose) -> None:
    down, right = pose.axes
    assert np.cross(down, right) == pytest.approx(pose.normal, abs=1e-9)
    assert (down @ right, down @ down, right @ right) == pytest.approx((0, 1, 1), abs=1e-9)
    again = Pose.of(pose.axes, pose.offset, pose.azimuth)
    assert again.axes == pytest.approx(pose.axes, abs=1e-6)


@given(POSES, st.integers(0, 2), st.floats(-170, 170))
def test_tilting_turns_about_the_pivot(pose: Pose, axis: int, degrees: float) -> None:
    pivot = pose.normal * pose.offset + pose.axes[0] * 2.5
    about = np.eye(3)[axis]
    tilted = pose.tilted(about, degrees, pivot)
    assert tilted.normal @ pivot == pytest.approx(tilted.offset, abs=1e-6), "the pivot stays on the plane"
    assert tilted.normal @ about == pytest.approx(pose.normal @ about, abs=1e-6)
    back = tilted.tilted(about, -degrees, pivot)
    assert back.axes == pytest.approx(pose.axes, abs=1e-5)


@given(POSES, EDGES)
def test_a_section_encloses_all_of_the_plane_in_the_box(pose: Pose, edges: np.ndarray) -> None:  # type: ignore[type-arg]
    found = section(pose, edges)
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (400, 3)) * edges
    on = points - (points @ pose.normal - pose.offset)[:, None] * pose.normal
    inside = on[(np.abs(on) <= edges / 2).all(axis=1)]
    if found is None:
        assert len(inside) == 0
        return
    centre, (height, width) = found
    assert centre @ pose.normal == pytest.approx(pose.offset, abs=1e-6)
    flat = np.abs((inside - centre) @ pose.axes.T)
    assert (flat <= np.array([height, width]) / 2 + 1e-6 * edges.max()).all()
    assert height <= np.linalg.norm(edges) * (1 + 1e-9)


@given(POSES, EDGES, st.integers(0, 2), st.floats(-0.5, 0.5))
def test_a_trace_lies_on_both_planes_and_on_the_edge_of_the_box(
    pose: Pose,
    edges: np.ndarray,  # type: ignore[type-arg]
    axis: int,
    share: float,
) -> None:
    found = trace(pose, axis, share * edges[axis], edges)
    for end in found or ():
        assert end[axis] == pytest.approx(share * edges[axis])
        assert end @ pose.normal == pytest.approx(pose.offset, abs=1e-5 * edges.max())
        rest = [a for a in range(3) if a != axis]
        assert (np.abs(end[rest]) <= edges[rest] / 2 * (1 + 1e-6)).all()
        assert np.isclose(np.abs(end[rest]), edges[rest] / 2, rtol=1e-6).any()


def test_random_poses_face_everywhere() -> None:
    normals = np.array([random_pose(np.random.default_rng(seed)).normal for seed in range(600)])
    assert np.abs(normals.mean(axis=0)).max() < 0.1
    assert normals.T @ normals / 600 == pytest.approx(np.eye(3) / 3, abs=0.06)
