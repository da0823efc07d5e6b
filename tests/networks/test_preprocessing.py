import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torchvision import transforms
from torchvision.models import ResNet18_Weights

from net2vec.errors import NetworkError
from net2vec.networks import CustomPreprocessing, Preprocessing


def _solid(color, size=(30, 20)):
    return Image.new("RGB", size, color)


def test_values_of_a_plain_image_are_shifted_and_scaled_by_channel():
    lite = Preprocessing(4, mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0))
    fed = lite(_solid((255, 127, 0)))
    assert fed.shape == (3, 4, 4)
    assert fed[:, 2, 1].tolist() == [1.0, 0.0, -127 / 128]


def test_bgr_turns_the_channels_and_applies_the_mean_in_their_order():
    caffe = Preprocessing(2, mean=(1.0, 2.0, 3.0), std=(1.0, 1.0, 2.0), channels="BGR")
    assert caffe(_solid((10, 20, 30)))[:, 0, 0].tolist() == [29.0, 18.0, 3.5]


def test_the_whole_image_is_squashed_and_shrinking_averages():
    stripes = np.zeros((60, 120, 3), dtype=np.uint8)
    stripes[:, 1::2] = 200  # too fine for a 6 px square, so it must come out as its mean
    stripes[:, 60:] = 50
    fed = Preprocessing(6, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))(Image.fromarray(stripes))
    assert fed[0, :, 0].tolist() == pytest.approx([100.0] * 6, abs=3)
    assert fed[0, :, 5].tolist() == [50.0] * 6


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
def test_every_mode_of_image_is_taken(mode):
    assert Preprocessing(5, (0.0,) * 3, (255.0,) * 3)(_solid("white").convert(mode)).min() == 1


def test_unit_scale_is_what_torchvision_documents():
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (9, 9, 3), dtype=np.uint8))
    ours = Preprocessing.from_unit_scale(9, mean, std)(image)
    unit = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    expected = (unit - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    torch.testing.assert_close(ours, expected)


def test_a_dictionary_of_plain_values_restores_it():
    original = Preprocessing(227, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), "BGR")
    assert Preprocessing.from_dict(original.to_dict()) == original
    with pytest.raises(NetworkError, match="size, mean and std"):
        Preprocessing.from_dict({"size": 3})
    with pytest.raises(NetworkError, match="BGR needs 3 values"):
        Preprocessing.from_dict(original.to_dict() | {"mean": [1, 2]})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": 0}, "at least 1 pixel, got 0"),
        ({"std": (1.0, 0.0, 1.0)}, "std of a channel"),
        ({"channels": "GBR"}, "RGB or BGR, .*, got 'GBR'"),
    ],
)
def test_settings_out_of_range_are_refused(fields, message):
    with pytest.raises(NetworkError, match=message):
        Preprocessing.from_dict(Preprocessing(2, (0.0,) * 3, (1.0,) * 3).to_dict() | fields)


def test_one_channel_is_the_brightness_that_pillow_makes():
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (9, 7, 3), dtype=np.uint8))
    grey = Preprocessing(5, mean=(10.0,), std=(2.0,), channels="L")
    wanted = (np.array(image.convert("L").resize((5, 5), Image.Resampling.BILINEAR)) - 10.0) / 2
    torch.testing.assert_close(grey(image), torch.from_numpy(wanted).float()[None])
    assert (grey.channel_count, Preprocessing.from_dict(grey.to_dict())) == (1, grey)
    own = CustomPreprocessing.wrap(lambda image: squash(16, transforms.Grayscale())(image))
    assert own.channel_count == own.to_dict()["channel_count"] == 1


def test_a_custom_transform_tells_its_size_and_sees_rgb():
    def red(image):
        values = np.array(image.resize((8, 8)), dtype=np.float32)
        return torch.from_numpy(values).permute(2, 0, 1)

    custom = CustomPreprocessing.wrap(red)
    assert custom.size == 8
    assert custom(Image.new("L", (3, 3), 7)).unique().tolist() == [7.0]


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (lambda image: 1 / 0, "ZeroDivisionError"),
        (lambda image: image, "float tensor"),
        (lambda image: torch.zeros(3, 4, 5), r"\(3, 4, 5\)"),
        (lambda image: torch.rand(3, 4, 4), "random parts"),
    ],
)
def test_a_transform_that_does_not_do_is_refused(transform, message):
    with pytest.raises(NetworkError, match=message):
        CustomPreprocessing.wrap(transform)


def squash(size, *more):
    return transforms.Compose([transforms.Resize((size, size)), *more, transforms.ToTensor()])


@pytest.mark.parametrize(
    "transform",
    [
        *(squash(size) for size in (4, 7, 32, 224)),
        squash(64, transforms.Grayscale(3), transforms.GaussianBlur(9, 3.0)),
        squash(20, transforms.RandomInvert(1.0)),
        # What the whole picture decides moves every pixel.
        lambda image: ((pixels := squash(64)(image)) - pixels.mean()) / pixels.std(),
        lambda image: (pixels := squash(64)(image)) / (pixels.max() - pixels.min()),
        # Of some values alone.
        *(lambda image, cut=cut: (squash(64)(image) > cut).float() for cut in (0.3, 0.9)),
        lambda image: squash(64)(image).clamp(0, 0.3),
        lambda image: 0 * squash(64)(image),
        lambda image: squash(64)(image).double(),
    ],
)
def test_whatever_shows_the_whole_picture_in_its_place_is_taken(transform):
    assert CustomPreprocessing.wrap(transform)(Image.new("RGB", (9, 5))).ndim == 3


@pytest.mark.parametrize(
    "transform",
    [
        ResNet18_Weights.DEFAULT.transforms(),
        timm.data.create_transform(input_size=(3, 224, 224)),
        squash(232, transforms.CenterCrop(224)),
        squash(32, transforms.RandomHorizontalFlip(1.0)),
        squash(32, transforms.RandomVerticalFlip(1.0)),
        transforms.Compose([transforms.Pad((0, 80)), squash(64)]),
        lambda image: squash(32)(image).transpose(1, 2),
    ],
)
def test_a_transform_that_moves_what_masks_lie_over_is_refused(transform):
    with pytest.raises(NetworkError, match=r"not show the whole picture .* use Resize\(\("):
        CustomPreprocessing.wrap(transform)


def test_a_transform_is_told_by_what_it_says_of_itself():
    assert "Resize(size=(8, 8)" in CustomPreprocessing.wrap(squash(8)).to_dict()["transform"]
    named = CustomPreprocessing.wrap(lambda image: squash(8)(image)).to_dict()["transform"]
    assert named.endswith("<lambda>")
