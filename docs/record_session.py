"""Record the README's example session: run its commands on demo/run, write their true output into the README.

make demo && python docs/record_session.py
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMMANDS = (
    "pocketvision predict demo/run/model.onnx demo/images/ankle-boot.png demo/images/shirt.png --top 2",
    "pocketvision evaluate demo/run/model.onnx fashion-mnist",
    "pocketvision verify demo/run/model.onnx",
    "python -m pocketvision.run demo/run/model.onnx demo/images/bag.png --json",
)


def main() -> None:
    """Replace the session in the README."""
    lines = []
    for command in COMMANDS:
        program, *arguments = command.split()
        done = subprocess.run(
            [Path(sys.executable).with_name(program), *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        lines += [f"$ {command}", done.stdout.rstrip()]
    path = ROOT / "README.md"
    block = "\n".join(["```", *lines, "```"])
    text = path.read_text(encoding="utf-8")
    pattern = r"(<!-- session -->\n).*?(<!-- end of session -->)"
    path.write_text(re.sub(pattern, lambda match: f"{match[1]}{block}\n{match[2]}", text, flags=re.DOTALL))


if __name__ == "__main__":
    main()
