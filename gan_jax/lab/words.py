"""Keys come in; the texts of the page go out, in English and in Chinese: `words/*.json`, a file a part."""

import functools
import json
from pathlib import Path

LANGUAGES = ("en", "zh")


@functools.cache
def words() -> dict[str, dict[str, str]]:
    """Read all texts: language, then key, to text. Parts in braces, such as {step}, are filled in by the page.

    Raises:
        ValueError: two files say the same key.

    >>> words()["en"]["play"], words()["zh"]["play"]
    ('Play', '播放')
    """
    found: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    for file in sorted(Path(__file__).with_name("words").glob("*.json")):
        for key, texts in json.loads(file.read_text(encoding="utf-8")).items():
            if key in found["en"]:
                raise ValueError(f"{file.name} says {key!r}, which another file says already")
            for language in LANGUAGES:
                found[language][key] = texts[language]
    return found
