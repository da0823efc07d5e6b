import numpy as np
from PIL import Image

from net2vec.report.pictures import SINGLE_COLOR, draw_masks


def left_half():
    mask = np.zeros((8, 8), dtype=bool)
    mask[:, :4] = True
    return mask


def test_the_fill_is_where_the_mask_is_and_nowhere_else():
    gray = Image.new("RGB", (64, 64), (100, 100, 100))
    drawn = np.asarray(draw_masks(gray, left_half(), ~left_half() & False, color="#ff0000"))
    assert drawn.shape == (288, 288, 3)
    assert (drawn[:, 150:] == 100).all()
    # 55 % of gray 100 and 45 % of red: 55 + 114.75 in the red channel, 55 in the others.
    np.testing.assert_array_equal(drawn[100, 60], [170, 55, 55])
    # The edge within the picture is opaque, that along its border is none.
    np.testing.assert_array_equal(drawn[100, 142], [255, 0, 0])
    np.testing.assert_array_equal(drawn[100, 0], [170, 55, 55])


def test_the_truth_is_a_white_line_in_a_dark_one():
    gray = Image.new("RGB", (64, 64), (200, 200, 200))
    nothing = np.zeros((8, 8), dtype=bool)
    drawn = np.asarray(draw_masks(gray, nothing, left_half(), color=SINGLE_COLOR)).astype(int)
    line = drawn[100, 130:150, 0]
    assert line.max() == 255
    assert line.min() < 100
    assert (drawn[100, 160:] == 200).all()
    assert (drawn[100, 10:120] == 200).all()


def test_the_aspect_stays():
    wide = Image.new("RGB", (200, 100))
    assert draw_masks(wide, left_half(), left_half(), color=SINGLE_COLOR).size == (288, 144)
