"""Which classes a mirror would exchange: sides in many languages, letters and numbers; and names that only look like it."""

import pytest

from pocketvision.data.mirror import why_not_mirrored

EXCHANGED = [
    ("turn_left", "turn_right"),
    ("TurnLeft", "TurnRight"),
    ("LEFT HAND", "right hand"),
    ("hand-l", "hand-r"),
    ("roundabout clockwise", "roundabout counterclockwise"),
    ("links abbiegen", "rechts abbiegen"),
    ("à gauche", "à droite"),
    ("izquierda", "derecha"),
    ("virar à esquerda", "virar à direita"),
    ("freccia sinistra", "freccia destra"),
    ("sväng vänster", "sväng ho\u0308ger"),  # decomposed, as macOS stores names
    ("skręt w lewo", "skręt w prawo"),
    ("налево", "направо"),
    ("kiri", "kanan"),
    ("sola dönüş sol", "sola dönüş sağ"),
    ("左折", "右折"),
    ("왼쪽", "오른쪽"),
    ("يسار", "يمين"),
    ("שמאלה", "ימינה"),
    ("rẽ trái", "rẽ phải"),
    ("बाएं", "दाएं"),
    ("arrow ←", "arrow →"),
]
WRITTEN = [("0", "1"), ("10", "11", "9"), ("digit_7", "digit_8"), ("a_lower", "b_lower"), ("three", "four"), ("٣", "٤")]
HARMLESS = [
    ("cat", "dog"),
    ("right_whale", "blue_whale"),
    ("linksys_router", "rechtsanwalt"),
    ("class_1", "class_2"),
    ("left_over", "leftover_food"),
    ("a", "bee"),
    ("b737", "a320"),
]


@pytest.mark.parametrize("names", EXCHANGED)
def test_names_that_differ_by_a_side(names):
    for classes in ((*names, "stop"), ("stop", *reversed(names))):
        assert why_not_mirrored(classes) == f"{names[0]!r} and {names[1]!r} differ by a side"


@pytest.mark.parametrize("names", WRITTEN)
def test_letters_and_numbers(names):
    assert "letters or numbers" in why_not_mirrored(names)


@pytest.mark.parametrize("names", HARMLESS)
def test_other_names(names):
    assert why_not_mirrored(names) == ""
