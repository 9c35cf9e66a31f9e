"""Which classes a mirror would exchange or spoil, as far as their names tell: sides, turns, letters and digits."""

import re
import unicodedata
from collections.abc import Iterable

# Each line: words of one side, and of the other, in one language. Inflected forms stand one by one, as stems would catch others.
SIDES = """
left lefthand lefthanded leftward leftwards : right righthand righthanded rightward rightwards
clockwise : counterclockwise anticlockwise
east eastbound : west westbound
port : starboard
links linke linker linkes linken linksrum linksabbiegen : rechts rechte rechter rechtes rechten rechtsrum rechtsabbiegen
gauche : droite
izquierda izquierdo : derecha derecho
esquerda esquerdo : direita direito
sinistra sinistro : destra destro
linkse linksaf : rechtse rechtsaf
vänster vänstra : höger högra
venstre : højre høyre
vasen vasemmalle vasemmalla : oikea oikealle oikealla
lewo lewy lewa lewe : prawo prawy prawa prawe
vlevo levá levý levé doleva : vpravo pravá pravý pravé doprava
stânga : dreapta
лево левый левая левое налево слева влево : право правый правая правое направо справа вправо
ліворуч ліва лівий : праворуч права правий
αριστερά : δεξιά
kiri : kanan
trái : phải
שמאל שמאלה : ימין ימינה
يسار اليسار يسارا : يمين اليمين يمينا
बायां बाएँ बाएं : दायां दाएँ दाएं
"""
# The same for words that also mean something else, or are short: they count where two names are equal but for them.
SHORT_SIDES = """
l : r
li : re
sol : sağ
bal : jobb
ccw acw : cw
w : e
sx : dx
izq : der
esq : dir
lt : rt
"""
# Written without spaces: they count wherever they stand, where two names are equal but for them.
SIGNS = (("左", "右"), ("왼", "오른"), ("←", "→"), ("↶", "↷"), ("⬅", "➡"), ("<", ">"))
# Words that say of a letter or number what it is.
OF_WRITING = """
digit digits number letter letters char character glyph lower upper lowercase uppercase small capital
ziffer zahl buchstabe chiffre nombre lettre dígito número letra cifra lettera numero цифра буква число
"""
NUMBERS = frozenset(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"])


def why_not_mirrored(classes: Iterable[str]) -> str:
    """Return why a mirrored image may show another class, or none; empty: nothing in the names says so.

    >>> why_not_mirrored(["turn_left", "turn_right", "stop"])
    "'turn_left' and 'turn_right' differ by a side"
    >>> why_not_mirrored(["10", "11"])
    'the names of the classes are letters or numbers, which mirrors spoil'
    >>> why_not_mirrored(["cat", "dog"])
    ''
    """
    names = list(classes)
    if all(_is_written(name) for name in names):
        return "the names of the classes are letters or numbers, which mirrors spoil"
    pair = _opposites(names)
    return f"{pair[0]!r} and {pair[1]!r} differ by a side" if pair else ""


def _opposites(names: list[str]) -> tuple[str, str] | None:
    """Return two names of which one is of the one side, and one of the other."""
    return _by_words(names) or _by_short_words(names) or _by_signs(names)


def _by_words(names: list[str]) -> tuple[str, str] | None:
    words = {name: frozenset(_words(name)) for name in names}
    for left, right in _pairs(SIDES):
        first = next((name for name, said in words.items() if left & said and not right & said), None)
        second = next((name for name, said in words.items() if right & said and not left & said), None)
        if first is not None and second is not None:
            return first, second
    return None


def _by_short_words(names: list[str]) -> tuple[str, str] | None:
    known = {_words(name): name for name in names}
    others = {word: right for left, right in _pairs(SHORT_SIDES) for word in left}
    for words, name in known.items():
        for place, word in enumerate(words):
            for other in others.get(word, ()):
                if found := known.get((*words[:place], other, *words[place + 1 :])):
                    return name, found
    return None


def _by_signs(names: list[str]) -> tuple[str, str] | None:
    known = set(names)
    exchanged = ((name, name.replace(left, right)) for left, right in SIGNS for name in names if left in name)
    return next(((name, other) for name, other in exchanged if other in known), None)


def _pairs(table: str) -> Iterable[tuple[frozenset[str], frozenset[str]]]:
    """Yield the words of the one side and of the other, folded as names are, of each line of a table."""
    for line in table.strip().splitlines():
        left, _, right = line.partition(":")
        yield frozenset(map(_folded, left.split())), frozenset(map(_folded, right.split()))


def _is_written(name: str) -> bool:
    """Tell whether a class is a letter or a number, perhaps with a word that says so.

    >>> [_is_written(name) for name in ("a", "12", "digit_7", "b lower", "seven", "a4 paper", "bee", "number plate")]
    [True, True, True, True, True, False, False, False]
    """
    parts = re.findall(r"\d+|[^\W\d_]+", unicodedata.normalize("NFKC", name).casefold())
    told = [part for part in parts if part not in OF_WRITING.split()]
    return len(name) == 1 or (len(told) == 1 and (told[0].isdecimal() or len(told[0]) == 1 or told[0] in NUMBERS))


def _words(name: str) -> tuple[str, ...]:
    """Return the words and numbers in a name, without case and accents.

    >>> _words("TurnLeft-2"), _words("à_gauche")
    (('turn', 'left', '2'), ('a', 'gauche'))
    """
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return tuple(re.findall(r"\d+|[^\W\d_]+", _folded(parted)))


def _folded(text: str) -> str:
    """Return a text without case and accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(part for part in parts if not unicodedata.category(part).startswith("M"))
