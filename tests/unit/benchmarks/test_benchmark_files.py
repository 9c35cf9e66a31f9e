import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "benchmarks"
SCRIPTS = {path.name for path in FOLDER.glob("*.py")} - {"measure.py", "networks.py"}  # what scripts share
RESULTS = sorted((FOLDER / "results").glob("*"))


def test_the_readme_has_one_line_for_each_script():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| \[(\S+)\]\(\1\) \|", text, re.MULTILINE)) == sorted(SCRIPTS)


def test_the_readme_links_to_files_that_exist():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    missing = [path for path in re.findall(r"\]\(([^)#]+)\)", text) if not (FOLDER / path).exists()]
    assert missing == []


def test_each_peer_is_started_by_a_script():
    scripts = "".join((FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)
    for path in (FOLDER / "peers").glob("*.py"):
        start, name = path.stem.rsplit("_", 1)
        assert f"{start}_" in scripts
        assert f'"{name}"' in scripts


def test_a_result_says_its_question_and_no_place_of_this_machine():
    assert RESULTS
    for path in RESULTS:
        named = re.fullmatch(r"([a-z0-9_]+)_[a-z0-9-]+_\d{4}-\d\d-\d\d(_[a-z0-9-]+)?\.json", path.name)
        assert named and f"{named[1]}.py" in SCRIPTS, path.name
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"://|/(home|opt|root|tmp|usr|work|Users)\b", text), path.name
