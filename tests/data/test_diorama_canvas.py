import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from net2vec.data.diorama.canvas import Canvas, Light, Stroke, make_stencil
from net2vec.data.diorama.labels import NUMBERS
from net2vec.data.diorama.objects import OBJECTS, Pen
from net2vec.data.diorama.objects.pen import box, ellipse, flat, polygon, smooth

LIGHT = Light(side=0.5, strength=0.8, tint=(1.0, 1.0, 1.0), haze=(200.0, 210.0, 220.0))
RED = flat((200.0, 0.0, 0.0))
BLUE = flat((0.0, 0.0, 200.0))


@pytest.fixture
def canvas():
    return Canvas(LIGHT, np.random.default_rng(0))


def cells(canvas, name, label):
    return canvas.maps[name] == NUMBERS[label]


def test_a_rectangle_covers_its_pixels_and_its_cells(canvas):
    canvas.draw([box(20.0, 40.0, 60.0, 100.0)], RED, object="car", material="metal")
    inside = np.zeros((224, 224), bool)
    inside[40:100, 20:60] = True
    np.testing.assert_array_equal(canvas.rgb[0] == 200, inside)
    np.testing.assert_array_equal(cells(canvas, "object", "car"), inside[::2, ::2])
    np.testing.assert_array_equal(cells(canvas, "material", "metal"), inside[::2, ::2])
    assert not canvas.maps["part"].any()


def test_a_pixel_covered_to_a_third_takes_a_third_of_the_paint(canvas):
    canvas.draw([box(10.0, 10.0, 20.0 + 1 / 3, 30.0)], RED, object="car")
    assert canvas.rgb[0, 15, 20] == pytest.approx(200 / 3, abs=1)
    assert canvas.rgb[0, 15, 21] == 0


def test_the_nearer_shape_hides_all_labels_of_the_farther(canvas):
    canvas.draw([box(0.0, 0.0, 100.0, 100.0)], RED, object="car", part="door", material="metal")
    canvas.draw([box(40.0, 40.0, 60.0, 60.0)], RED, object="car", part="door", subpart="handle")
    canvas.draw([box(50.0, 0.0, 224.0, 224.0)], BLUE, object="tree")
    for name, label, area in (
        ("object", "car", 25 * 50),
        ("part", "door", 25 * 50),
        ("subpart", "handle", 5 * 10),
        ("material", "metal", 25 * 50 - 5 * 10),
        ("object", "tree", 87 * 112),
    ):
        assert cells(canvas, name, label).sum() == area, (name, label)


def test_a_part_of_a_part_belongs_to_both(canvas):
    pen = Pen(canvas, "house", 0.0, 80.0, 80.0)
    pen.draw(box(0.0, 0.0, 1.0, 1.0), RED, "door", material="wood")
    pen.draw(box(0.25, 0.25, 0.5, 0.5), BLUE, "window", of="door")
    assert cells(canvas, "part", "door").sum() == 40**2
    assert cells(canvas, "subpart", "window").sum() == 10**2
    assert cells(canvas, "material", "wood").sum() == 40**2 - 10**2
    pen.draw(box(0.25, 0.25, 0.5, 0.5), RED, "door")
    assert not canvas.maps["subpart"].any()


def test_marks_and_shadows_touch_no_label(canvas):
    canvas.draw([box(0.0, 0.0, 224.0, 224.0)], RED, object="car", part="door", material="metal")
    before = {name: labels.copy() for name, labels in canvas.maps.items()}
    canvas.draw([ellipse(100.0, 100.0, 20.0)], BLUE, opacity=0.5)
    canvas.shade([ellipse(180.0, 180.0, 20.0)], 0.5, 3.0)
    for name, labels in canvas.maps.items():
        np.testing.assert_array_equal(labels, before[name])
    np.testing.assert_allclose(canvas.rgb[:, 100, 100], (100, 0, 100), atol=1)
    assert canvas.rgb[0, 180, 180] == pytest.approx(100, abs=2)
    assert canvas.rgb[0, 20, 20] == 200


@pytest.mark.parametrize("x", [-50.0, 300.0])
def test_what_lies_outside_the_picture_is_not_drawn(canvas, x):
    assert make_stencil([ellipse(x, 100.0, 20.0)]) is None
    canvas.draw([ellipse(x, 100.0, 20.0)], RED, object="car")
    assert not canvas.rgb.any()
    assert not canvas.maps["object"].any()


def test_what_is_smaller_than_a_pixel_is_not_drawn():
    assert make_stencil([ellipse(100.5, 100.5, 0.45)]) is None
    drawn = make_stencil([ellipse(100.5, 100.5, 0.55)])
    assert drawn is not None
    assert 0.5 < drawn.cover.sum() < 4  # pixels


def test_haze_draws_colours_towards_the_air(canvas):
    canvas.draw([box(0.0, 0.0, 10.0, 10.0)], flat((0.0, 0.0, 0.0)), object="car", haze=0.25)
    np.testing.assert_allclose(canvas.rgb[:, 5, 5], (50, 52.5, 55), rtol=1e-5)


@given(
    corners=st.lists(st.tuples(*[st.floats(-30, 250)] * 2), min_size=3, max_size=7),
    width=st.none() | st.floats(0.5, 20),
)
@settings(max_examples=60, deadline=None)
def test_a_cell_is_labelled_where_its_middle_is_covered(corners, width):
    points = np.array(corners)
    stencil = make_stencil([points if width is None else Stroke(points, width)])
    if stencil is None:
        return
    height, wide = stencil.cells.shape
    cover = stencil.cover.reshape(height, 2, wide, 2)
    assert not (stencil.cells & (cover.max(axis=(1, 3)) == 0)).any()
    assert stencil.cells[cover.min(axis=(1, 3)) == 1].all()


def test_the_cover_of_a_disc_is_its_area():
    stencil = make_stencil([ellipse(100.3, 90.7, 30.0)])
    # Outlines include the fine pixels that they run through, half a fine pixel all round.
    assert np.pi * 30**2 < stencil.cover.sum() < np.pi * 30.4**2


def test_a_smooth_outline_runs_through_its_points():
    corners = [(0.0, 0.0), (10.0, 0.0), (10.0, 5.0), (2.0, 8.0)]
    np.testing.assert_allclose(smooth(*corners, steps=5)[::5], corners)


def test_a_mirrored_object_is_the_mirror_image():
    flag = polygon((0.0, 0.0), (0.5, 0.2), (0.5, 0.9), (0.1, 1.0))
    seen = []
    for mirror in (False, True):
        canvas = Canvas(LIGHT, np.random.default_rng(0))
        Pen(canvas, "boat", 112.0, 200.0, 100.0, mirror=mirror).draw(flag, RED, "sail")
        seen.append(canvas)
    plain, flipped = (canvas.maps["part"] != 0 for canvas in seen)
    assert plain[:, 56:].sum() == plain.sum() > 500
    # Rounding to fine pixels may differ on the border.
    assert (plain != flipped[:, ::-1]).sum() < 0.03 * plain.sum()


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_masks_are_the_pixels_that_were_painted(name):
    """What is opaque looks the same on black and on white; exactly that must be labelled."""
    pictures = []
    for ground in (0.0, 255.0):
        canvas = Canvas(LIGHT, np.random.default_rng(7))
        canvas.rgb[:] = ground
        OBJECTS[name](Pen(canvas, name, 112.0, 190.0, 120.0 if name != "carpet" else 40.0))
        pictures.append(canvas)
    dark, bright = pictures
    opaque = np.abs(dark.rgb - bright.rgb).max(axis=0) < 1
    opaque = opaque.reshape(112, 2, 112, 2)
    labelled = dark.maps["object"] == NUMBERS[name]
    assert labelled.sum() > 100
    np.testing.assert_array_equal(labelled, dark.maps["object"] != 0)
    assert labelled[opaque.all(axis=(1, 3))].all()
    assert opaque.any(axis=(1, 3))[labelled].mean() > 0.93
    for other in ("part", "subpart", "material"):
        assert not (dark.maps[other] != 0)[~labelled].any()
