"""Macros and variables that a text of the dbt project names, at any remove: what is read again when one changes.

Belongs here: finding names in texts. Must not be here: what is made again (`dbt_runner`, `compiler`).

Names are found as words, so a text may count as naming what it only speaks of: then too much is read again, never too
little. dbt's own list of the macros of a node lacks those of a branch that parsing does not take.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

PROJECT_FILE = "dbt_project.yml"

_MACRO = re.compile(r"\{%-?\s*(macro|test|materialization)\s+(\w+).*?\{%-?\s*end(?:macro|test|materialization)\b", re.S)
_WORD = re.compile(r"\w+")
# A name that is put together: 'score_weight_' ~ part.
_START = re.compile(r"'(\w+_)'\s*~")
# What decides, while dbt parses, what a node is: its config, and which branch is taken.
_CONFIG = re.compile(r"\{\{-?\s*config\(.*?\}\}", re.S)
_BRANCH = re.compile(r"\{%-?\s*(?:if|elif)\b.*?%\}", re.S)
_LOOP = re.compile(r"\{%-?\s*for\b.*?%\}", re.S)
_SET = re.compile(r"\{%-?\s*set\s+(\w+)\s*=(.*?)%\}", re.S)
_COMPUTED_PARENT = re.compile(r"\b(?:ref|source)\(\s*[^'\"\s]")
_VARIABLE = re.compile(r"var\(\s*['\"](\w+)")
# A macro that is called through `adapter.dispatch` by its name without the engine's.
_ENGINES = ("default__", "duckdb__", "spark__")


@dataclass(frozen=True)
class Names:
    """The macros and variables that there are.

    Attributes:
        settings: dbt_project.yml without its variables.
        variables: Value of each variable.
        macros: Text of each macro by its name; one name, several engines: several texts.
    """

    settings: Mapping[str, Any]
    variables: Mapping[str, Any]
    macros: Mapping[str, str]

    def under(self, text: str) -> tuple[set[str], set[str]]:
        """Macros and variables that a text names, and those that these macros name."""
        macros: set[str] = set()
        found = {name for name in _WORD.findall(text) if name in self.macros}
        while found:
            macros |= found
            found = {name for macro in found for name in self._named_by[macro]} - macros
        texts = [text, *(self.macros[name] for name in macros)]
        words = {word for each in texts for word in _WORD.findall(each)}
        starts = tuple({start for each in texts for start in _START.findall(each)})
        return macros, {name for name in self.variables if name in words or name.startswith(starts)}

    @cached_property
    def _named_by(self) -> dict[str, set[str]]:
        return {name: self.macros.keys() & set(_WORD.findall(text)) for name, text in self.macros.items()}

    def told(self, macros: Iterable[str], variables: Iterable[str]) -> str:
        """Texts of these macros and values of these variables, as one text."""
        return json.dumps([
            {name: self.macros[name] for name in sorted(macros)},
            {name: self.variables[name] for name in sorted(variables)},
        ])  # fmt: skip

    def asked_while_parsing(self, yaml_texts: Iterable[str], sql_texts: Iterable[str]) -> str:
        """What of the variables parsing may ask: in YAML, in a node's config, in what chooses a branch.

        Others are asked only when dbt compiles, so that the parsed project stays what it is when they change.
        """
        in_yaml = [*yaml_texts, json.dumps(self.settings)]
        asked = [name for text in in_yaml for name in _VARIABLE.findall(text)]
        macros, variables = self.under(" ".join([*asked, *(_deciding(text) for text in sql_texts)]))
        return self.told(macros, variables)


def names(project_dir: Path) -> Names:
    """Reads those of a project."""
    settings = yaml.safe_load((project_dir / PROJECT_FILE).read_text(encoding="utf-8"))
    variables = settings.pop("vars", None) or {}
    macros: dict[str, str] = {}
    for path in (*sorted(project_dir.glob("macros/**/*.sql")), *sorted(project_dir.glob("tests/dbt/**/*.sql"))):
        for found in _MACRO.finditer(path.read_text(encoding="utf-8")):
            # dbt calls a generic test by this name.
            name = f"test_{found[2]}" if found[1] == "test" else found[2]
            for engine in _ENGINES:
                name = name.removeprefix(engine)
            macros[name] = macros.get(name, "") + found[0]
    return Names(settings, variables, macros)


def _deciding(text: str) -> str:
    """The parts of a node's file that decide what it is."""
    parts = [*_CONFIG.findall(text), *_BRANCH.findall(text)]
    if _COMPUTED_PARENT.search(text):
        parts += _LOOP.findall(text)
    given = dict(_SET.findall(text))
    while wanted := {name for part in parts for name in _WORD.findall(part)} & given.keys():
        parts += [given.pop(name) for name in wanted]
    return " ".join(parts)
