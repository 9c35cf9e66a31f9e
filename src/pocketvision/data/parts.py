"""The parts of a data set, and the names that people give to them."""

import re
import unicodedata
from typing import Literal

Part = Literal["train", "validation", "test"]

PART_NAMES: dict[str, Part] = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
"""The usual names, in lower case: what messages offer. `part_of` knows more."""

# Lower case, without accents; the languages of the data sets that people share most
_WORDS: dict[Part, str] = {
    "train": "train training trains trainval learn learning entrenamiento entrainement apprentissage treino treinamento treinar "
    "addestramento trening treningowy egitim obuchenie обучение обучающая тренировка тренировочная latih pelatihan "
    "训练 訓練 学習 훈련 학습",
    "validation": "val valid validate validating validation dev develop development eval evaluation validacion validacao "
    "validazione validierung validatie validering walidacja dogrulama gecerleme validaciya валидация валидационная validasi "
    "验证 驗證 検証 검증",
    "test": "test tests testing tst prueba pruebas teste testes testowy proba тест тестовая тестирование uji pengujian "
    "测试 測試 テスト 시험 테스트",
}
_PART_OF_WORD = {word: part for part, words in _WORDS.items() for word in words.split()}
# What stands beside such a word and says nothing
_FILLER_WORDS = (
    "set sets data dataset datasets image images img imgs photo photos picture pictures split sample samples folder the of "
    "conjunto datos imagenes dados imagens daten bilder donnees dati immagini veri gambar 集 数据 图像 データ 用"
)
_FILLERS = frozenset(_FILLER_WORDS.split())
_BOUNDARY = re.compile(r"[\s_\-.()\[\]+&,]+|(?<=[a-z])(?=[A-Z])|(?<=\w)(?=[集用])")
_GLUED = re.compile(r"(train|training|test|testing|val|valid|validation|dev|eval)(set|data|images|imgs)")


def part_of(name: str) -> tuple[Part, str] | None:
    """Return the part that a name means, and the words beside it that say something else; None if it means no part.

    >>> part_of("Training"), part_of("test_set"), part_of("valImages"), part_of("验证集")
    (('train', ''), ('test', ''), ('validation', ''), ('validation', ''))
    >>> part_of("seg_train"), part_of("bullet train"), part_of("cat"), part_of("train_test")
    (('train', 'seg'), ('train', 'bullet'), None, None)
    """
    words = [_plain(word) for word in _BOUNDARY.split(unicodedata.normalize("NFKC", name)) if word]
    words = [piece for word in words for piece in _unglued(word)]
    parts = {_PART_OF_WORD[word] for word in words if word in _PART_OF_WORD}
    if len(parts) != 1:
        return None
    others = [word for word in words if word not in _PART_OF_WORD and word not in _FILLERS]
    return parts.pop(), " ".join(others)


def named_part(name: str) -> Part | None:
    """Return the part that a name means and nothing beside it: "Training", "test_set", "dev"; None for any other name."""
    found = part_of(name)
    return found[0] if found and not found[1] else None


def _plain(word: str) -> str:
    """Return a word in lower case, without accents."""
    pieces = unicodedata.normalize("NFD", word.casefold().replace("\u0131", "i"))  # Turkish, without its dot
    bare = "".join(piece for piece in pieces if not "\u0300" <= piece <= "\u036f")
    return unicodedata.normalize("NFC", bare)


def _unglued(word: str) -> tuple[str, ...]:
    """Return "trainset" as ("train", "set")."""
    glued = _GLUED.fullmatch(word)
    return glued.groups() if glued else (word,)
