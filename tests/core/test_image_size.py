import pytest

from net2vec.config import Settings
from net2vec.core.image_size import parse_size, show_size
from net2vec.errors import ConfigError


def test_width_comes_first_and_equal_sides_are_a_square():
    assert parse_size("320x240", "input") == (320, 240)
    assert (
        parse_size("224x224", "input") == parse_size("224", "input") == parse_size(224, "x") == 224
    )
    assert (show_size((320, 240)), show_size(224)) == ("320 x 240", "224 x 224")


@pytest.mark.parametrize("text", ["", "0", "0x5", "5x0", "a", "5x", "x5", "-5", "1.5", "5x5x5", -3])
def test_anything_else_is_refused(text):
    with pytest.raises(ConfigError, match="input must be a number of pixels, or WIDTHxHEIGHT"):
        parse_size(text, "input")


def test_settings_have_one_spelling_for_one_size(tmp_path):
    made = [Settings("n", ("d",), input=given) for given in (96, "96", "96x96", "096")]
    assert {settings.input for settings in made} == {96}
    settings = Settings("n", ("d",), input="96 x 64", mask_size="48x32")
    (tmp_path / "run.toml").write_text(settings.to_toml())
    again = Settings.from_toml(tmp_path / "run.toml")
    assert (again.input, again.mask_size) == ("96x64", "48x32")
