import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import lab2lch, rgb2lab

from net2vec.data.colors import COLOR_NAMES, name_colors, srgb_to_lch

CHIPS = {
    "black": [(0, 0, 0), (20, 20, 20), (30, 25, 25)],
    "blue": [(0, 0, 255), (30, 80, 200), (135, 206, 235), (0, 40, 90), (60, 120, 150)],
    "brown": [(139, 69, 19), (101, 67, 33), (150, 110, 70), (90, 60, 50), (210, 180, 140)],
    "green": [(0, 255, 0), (0, 128, 0), (60, 120, 40), (80, 100, 30), (130, 170, 110)],
    "grey": [(128, 128, 128), (90, 92, 95), (190, 190, 190)],
    "orange": [(255, 165, 0), (255, 128, 0), (230, 120, 40)],
    "pink": [(255, 192, 203), (255, 105, 180), (240, 150, 170)],
    "purple": [(128, 0, 128), (100, 50, 160), (150, 80, 200)],
    "red": [(255, 0, 0), (200, 30, 30), (140, 10, 20), (220, 50, 60)],
    "white": [(255, 255, 255), (240, 240, 238), (243, 235, 215)],
    "yellow": [(255, 255, 0), (240, 220, 60), (250, 240, 130)],
}


@pytest.mark.parametrize("name", COLOR_NAMES)
def test_chips_get_the_name_people_give_them(name):
    chips = np.array([CHIPS[name]], dtype=np.uint8)
    assert [COLOR_NAMES[i - 1] for i in name_colors(chips)[0]] == [name] * chips.shape[1]


def test_every_pixel_is_named_and_every_name_is_used():
    levels = np.arange(4, 256, 8, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(32, -1, 3)
    names = name_colors(cube)
    assert names.shape == cube.shape[:2]
    assert set(np.unique(names)) == set(range(1, 12))


def test_the_grey_axis_goes_from_black_over_grey_to_white():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    names = [COLOR_NAMES[i - 1] for i in name_colors(ramp)[0]]
    black, white = names.count("black"), names.count("white")
    assert names == ["black"] * black + ["grey"] * (256 - black - white) + ["white"] * white
    assert 20 < black < 80
    assert 10 < white < 60


@pytest.mark.parametrize(
    ("rgb", "lch"),
    [
        ((1.0, 0.0, 0.0), (53.24, 104.55, 40.0)),
        ((0.0, 0.0, 1.0), (32.30, 133.81, 306.29)),
        ((1.0, 1.0, 0.0), (97.14, 96.91, 102.85)),
    ],
)
def test_coordinates_of_the_primaries(rgb, lch):
    found = srgb_to_lch(np.array([rgb]))
    np.testing.assert_allclose([v[0] for v in found], lch, atol=0.02)


@settings(deadline=None)
@given(st.tuples(*[st.floats(0, 1)] * 3))
def test_coordinates_agree_with_scikit_image(rgb):
    lightness, chroma, hue = srgb_to_lch(np.array([rgb]))
    expected = lab2lch(rgb2lab(np.array([[rgb]])))[0, 0]
    assert lightness[0] == pytest.approx(expected[0], abs=0.01)
    assert chroma[0] == pytest.approx(expected[1], abs=0.03)
    if chroma[0] > 1:
        turn = abs(hue[0] - np.degrees(expected[2])) % 360
        assert min(turn, 360 - turn) < 1
