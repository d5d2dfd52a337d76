"""The page's texts: every one in both languages, and every one that the page and the kernel name is there."""

import json
import re
from pathlib import Path

import pytest

from gan_jax import lab
from gan_jax.lab.presets import PRESETS
from gan_jax.lab.words import LANGUAGES, words

pytestmark = pytest.mark.once

FOLDER = Path(lab.__file__).parent
FILES = sorted((FOLDER / "words").glob("*.json"))
PLACE = re.compile(r"\{(\w+)\}")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_text_is_in_both_languages_with_the_same_places_to_fill(file):
    for key, texts in json.loads(file.read_text(encoding="utf-8")).items():
        assert list(texts) == list(LANGUAGES), key
        assert all(text.strip() for text in texts.values()), key
        english, chinese = (set(PLACE.findall(texts[language])) for language in LANGUAGES)
        assert english == chinese, key


def test_no_two_files_say_the_same(tmp_path):
    keys = [key for file in FILES for key in json.loads(file.read_text(encoding="utf-8"))]
    assert len(keys) == len(set(keys)) == len(words()["en"])


def test_all_that_can_be_moved_chosen_or_shown_has_a_name():
    texts, session = words()["en"], lab.Session()
    named = [f"dial_{name}" for name in lab.DIALS] + [f"choice_{name}" for name in lab.CHOICES]
    named += [f"help_{name}" for name in (*lab.DIALS, *lab.CHOICES)]
    numbers = re.compile(r"[\d, ]+")
    named += [f"entry_{name}" for menu in session.menus.values() for name, _ in menu if not numbers.fullmatch(name)]
    named += [f"layers.{name}" for name in lab.LAYERS] + [f"charts.{name}" for name in lab.CHARTS]
    named += [f"measures.{name}" for name in lab.MEASURES]
    named += [f"presets.{name}.{what}" for name in PRESETS for what in ("title", "watch")]
    source = (FOLDER / "session.py").read_text(encoding="utf-8")
    named += re.findall(r'"(idle_\w+)"', source)
    assert [key for key in named if key not in texts] == []


@pytest.mark.parametrize("file", sorted((FOLDER / "page").glob("*.js")), ids=lambda file: file.stem)
def test_every_text_that_the_page_says_is_there(file):
    """Keys written out in full; those put together from a name are in the test above."""
    source = file.read_text(encoding="utf-8")
    own = re.search(r"const say = \(key, values\) => view\.say\(`(\w+\.)\$\{key\}`", source)
    prefix = own.group(1) if own else ""
    whole = re.findall(r'view\.say\("([\w. ]+)"', source)
    short = re.findall(r'(?<!\.)\bsay\("([\w. ]+)"', source)
    texts = words()["en"]
    missing = [key for key in [*whole, *short] if key not in texts and prefix + key not in texts]
    assert missing == []
