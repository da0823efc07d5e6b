"""The vocabulary of the diorama: every label by category, numbered once."""

from __future__ import annotations

from net2vec.data.colors import COLOR_NAMES

CATEGORIES = ("color", "object", "part", "material", "scene", "texture")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_OBJECTS = _words("""
airplane bicycle bird boat bottle building bus cabinet cactus car carpet ceiling chair clock coral
cow cup curtain dog fence field fish floor flower ground horse house kettle lamp lighthouse
mountain oven painting palm path person plant refrigerator road rock sea seaweed sheep sidewalk sky
sofa streetlight table television tree umbrella wall windmill windowpane
""")

_PARTS = _words("""
arm back base beak blade branch canopy cap chimney crown cushion door drawer ear engine eye fin
frame hair handle head headlight horn hull leaf leg mast neck petal pole pot roof saddle sail
screen seat shade spout stem tail top torso trunk wheel window wing
""")

_MATERIALS = _words("brick fabric grass metal sand stone water wood")

_SCENES = _words("""
airfield aquarium beach desert forest garden harbor kitchen living_room mountain pasture street
""")

_TEXTURES = _words("""
banded blotchy chequered cracked crosshatched dotted flecked grid honeycombed marbled scaly
spiralled striped woven zigzagged
""")

LABELS_BY_CATEGORY: dict[str, tuple[str, ...]] = {
    "color": tuple(f"{name}-c" for name in COLOR_NAMES),
    "object": _OBJECTS,
    "part": _PARTS,
    "material": _MATERIALS,
    "scene": tuple(f"{name}-s" for name in _SCENES),
    "texture": _TEXTURES,
}

# Colours come first, so that the numbers `name_colors` gives are label numbers.
LABELS = ("", *(name for names in LABELS_BY_CATEGORY.values() for name in names))
NUMBERS = {name: number for number, name in enumerate(LABELS)}
