"""Writes the output of the commands named in README.md and docs/ below each of them.

A block is `<!-- transcript: redcell ... -->` to `<!-- end -->`. Without an argument the files are
renewed; with `--check` nothing is written and a stale block is an error.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLAIN = {**os.environ, "COLUMNS": "96", "NO_COLOR": "1"}
BLOCK = re.compile(r"(<!-- transcript: (.+?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def renewed(text: str) -> str:
    """The text with every transcript run again."""

    def run(match: re.Match[str]) -> str:
        command = shlex.split(match[2])
        program = str(Path(sys.executable).parent / command[0])
        done = subprocess.run(  # noqa: S603  (our own commands, from our own docs)
            [program, *command[1:]], capture_output=True, text=True, check=True, cwd=ROOT, env=PLAIN
        )
        body = "".join(f"    {line}".rstrip() + "\n" for line in done.stdout.splitlines())
        return f"{match[1]}\n{body}\n{match[4]}"

    return BLOCK.sub(run, text)


def main(check: bool) -> int:
    """Renew or check every page; 0 when nothing is stale."""
    stale = 0
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        before = page.read_text(encoding="utf-8")
        after = renewed(before) if "<!-- transcript" in before else before
        if after != before:
            stale += 1
            sys.stdout.write(f"{page.relative_to(ROOT)}: {'stale' if check else 'renewed'}\n")
            if not check:
                page.write_text(after, encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
