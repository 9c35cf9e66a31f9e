"""Results on stdout."""

import json

from pocketvision.cli.output import print_json, print_table, table_lines


def test_json_keeps_letters_of_all_languages(capsys):
    print_json({"name": "Käse 猫"}, indent=None)
    print_json([1, 2])
    first, rest = capsys.readouterr().out.split("\n", 1)
    assert first == '{"name": "Käse 猫"}'
    assert json.loads(rest) == [1, 2]


def test_table_aligns_words_left_and_numbers_right(capsys):
    rows = [("stem", "Conv", "27,648"), ("classifier", "Linear", "9")]
    print_table(("layer", "kind", "MACs"), rows, left=2)
    assert capsys.readouterr().out.splitlines() == [
        "layer       kind      MACs",
        "stem        Conv    27,648",
        "classifier  Linear       9",
    ]
    assert table_lines(("a", "b"), []) == ["a  b"]
