"""The repository's address in pyproject.toml comes in; the links that are made of it go out, and into the files.

`make badges` runs this file: change `[project.urls] Repository`, run it, and every link points there.
"""

import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
BRANCH = "main"


def repository() -> str:
    """Return the address, `https://github.com/ORG/REPO`, from the one place where it stands."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]


def badges(path: str, home: str | None = None) -> str:
    """Return the line of badges that opens the file at `path` (from the root) on Colab, Binder and Kaggle."""
    home = home or repository()
    name = home.removeprefix("https://github.com/")
    links = {
        ("Open in Colab", "https://colab.research.google.com/assets/colab-badge.svg"): (
            f"https://colab.research.google.com/github/{name}/blob/{BRANCH}/{path}"
        ),
        ("Open in Binder", "https://mybinder.org/badge_logo.svg"): (
            f"https://mybinder.org/v2/gh/{name}/{BRANCH}?urlpath=lab/tree/{path}"
        ),
        ("Open in Kaggle", "https://kaggle.com/static/images/open-in-kaggle.svg"): (
            f"https://kaggle.com/kernels/welcome?src={home}/blob/{BRANCH}/{path}"
        ),
    }
    return " ".join(f"[![{alt}]({image})]({link})" for (alt, image), link in links.items())


A_NAME = r"[\w.-]+?/[\w.-]+?"
OURS = [
    rf"(?<=colab\.research\.google\.com/github/){A_NAME}(?=/blob/)",
    rf"(?<=mybinder\.org/v2/gh/){A_NAME}(?=/{BRANCH})",
    rf"(?<=welcome\?src=https://github\.com/){A_NAME}(?=/blob/)",
    rf"(?<=git\+https://github\.com/){A_NAME}(?=[@\s\"'\\,)#]|\.git|$)",
    rf"(?<=git clone https://github\.com/){A_NAME}(?=[\s\"'`\\]|\.git|$)",
    rf"(?<=repository-code: \"https://github\.com/){A_NAME}(?=\")",
]
"""Where in a file the repository's ORG/REPO stands; an address anywhere else is somebody else's."""


def written_by_hand() -> list[Path]:
    """List the files that hold the address."""
    return [ROOT / "README.md", ROOT / "CITATION.cff", *sorted((ROOT / "notebooks").glob("*.ipynb"))]


def names_in(text: str) -> set[str]:
    """List each ORG/REPO that the text gives as this project's own."""
    return {name for pattern in OURS for name in re.findall(pattern, text, flags=re.MULTILINE)}


def rewrite(text: str, home: str) -> str:
    """Return the text with this project's address changed to `home`.

    >>> rewrite("pip install git+https://github.com/old/name", "https://github.com/new/home")
    'pip install git+https://github.com/new/home'
    """
    for pattern in OURS:
        text = re.sub(pattern, home.removeprefix("https://github.com/"), text, flags=re.MULTILINE)
    return text


def prose(path: Path) -> str:
    """Return a Markdown file's text, or that of a notebook's Markdown cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    return "\n\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")


if __name__ == "__main__":
    for file in written_by_hand():
        before = file.read_text(encoding="utf-8")
        after = rewrite(before, repository())
        if after != before:
            file.write_text(after, encoding="utf-8")
            print(f"{file.relative_to(ROOT)}: address written")
