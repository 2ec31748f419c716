"""Google's discovery documents as a contract: routes, parameters, bodies, scopes, answers and field masks."""

import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from googleapiclient import discovery_cache


class ContractError(Exception):
    """A request that Google would refuse with 400."""


class OutsideContractError(Exception):
    """A request that the product must not make, or that this service deliberately doesn't answer.

    What is not held against a contract must fail a test, never pass by silence.
    """


@dataclass(frozen=True)
class Method:
    """A method of an API, and the path parameters of one request."""

    contract: "Contract"
    description: Mapping[str, Any]
    path_values: Mapping[str, str]
    is_upload: bool

    @property
    def route(self) -> str:
        return str(self.description["id"])

    def check_query(self, query: Mapping[str, Sequence[str]]) -> None:
        known = {**self.contract.document["parameters"], **self.description.get("parameters", {})}
        for name, values in query.items():
            if self.is_upload and name in ("uploadType", "upload_id"):
                continue
            if name not in known:
                raise ContractError(
                    f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter'
                )
            if len(values) > 1 and not known[name].get("repeated"):
                raise ContractError(f"parameter {name} is not repeated")
            for value in values:
                _check_text(name, known[name], value)

    def check_body(self, body: Any) -> None:
        if "request" in self.description:
            self.contract.check(body, self.description["request"])
        elif body is not None:
            raise ContractError(f"{self.route} takes no body")

    def answer(self, body: dict[str, Any], mask: str | None) -> dict[str, Any]:
        """Checks an answer against its schema and applies a field mask."""
        schema = self.description["response"]
        self.contract.check(body, schema)
        return body if mask is None else self.contract.masked(body, _parsed_mask(mask), schema)


class Contract:
    """One API."""

    def __init__(self, name: str, version: str) -> None:
        self.document: Mapping[str, Any] = json.loads(discovery_cache.get_static_doc(name, version))
        self._routes = [
            (re.compile(pattern), literal, method, is_upload)
            for method in _methods(self.document)
            for pattern, literal, is_upload in _patterns(self.document, method)
        ]

    def match(self, verb: str, path: str) -> Method | None:
        """The method of a request; of several the one with most literal text."""
        found = [
            (literal, method, match, is_upload)
            for pattern, literal, method, is_upload in self._routes
            if method["httpMethod"] == verb and (match := pattern.fullmatch(path))
        ]
        if not found:
            return None
        _, method, match, is_upload = max(found, key=lambda item: item[0])
        # Matched before decoding, so that an encoded slash or colon stays part of its parameter.
        values = {name: unquote(value) for name, value in match.groupdict().items()}
        return Method(self, method, values, is_upload)

    def check(self, value: Any, schema: Mapping[str, Any], where: str = "") -> None:
        """Raises unless a value has the shape of a schema."""
        schema = self._resolved(schema)
        kind = schema.get("type", "any")
        if kind == "object":
            if not isinstance(value, dict):
                raise ContractError(f"{where or 'body'}: expected an object")
            for name, item in value.items():
                inner = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
                if inner is None:
                    raise ContractError(f"Invalid JSON payload received. Unknown name \"{name}\" at '{where}'")
                self.check(item, inner, f"{where}.{name}")
        elif kind == "array":
            if not isinstance(value, list):
                raise ContractError(f"{where}: expected a list")
            for item in value:
                self.check(item, schema["items"], f"{where}[]")
        elif kind == "string":
            if not isinstance(value, str) or value not in schema.get("enum", [value]):
                raise ContractError(f"Invalid value at '{where}': {value!r}")
        elif kind == "boolean":
            if not isinstance(value, bool):
                raise ContractError(f"Invalid value at '{where}': {value!r}")
        elif kind in ("integer", "number"):
            wrong = isinstance(value, bool) or not isinstance(value, int | float)
            if wrong or (kind == "integer" and not isinstance(value, int)):
                raise ContractError(f"Invalid value at '{where}': {value!r}")
            if schema.get("format") == "int32" and not -(2**31) <= value < 2**31:
                raise ContractError(f"Invalid value at '{where}': {value!r}")

    def masked(self, value: Any, mask: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
        """Applies a field mask; a field that doesn't exist is an error, as it is for Google."""
        schema = self._resolved(schema)
        if not mask or "*" in mask:
            return value
        if schema.get("type") == "array":
            return [self.masked(item, mask, schema["items"]) for item in value or []]
        properties = schema.get("properties", {})
        unknown = set(mask) - set(properties)
        if unknown and "additionalProperties" not in schema:
            raise ContractError(f"Invalid field selection {sorted(unknown)}")
        for name, inner in mask.items():
            if name in properties and name not in (value or {}):
                self.masked([] if properties[name].get("type") == "array" else {}, inner, properties[name])
        return {
            name: self.masked(value[name], inner, properties[name]) for name, inner in mask.items() if name in value
        }

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            schema = self.document["schemas"][schema["$ref"]]
        return schema


@functools.cache
def contract(name: str, version: str) -> Contract:
    """The contract of an API, read once."""
    return Contract(name, version)


def _methods(resource: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = list(resource.get("methods", {}).values())
    for inner in resource.get("resources", {}).values():
        found += _methods(inner)
    return found


def _patterns(document: Mapping[str, Any], method: Mapping[str, Any]) -> list[tuple[str, int, bool]]:
    paths = [("/" + document["servicePath"] + method["path"], False)]
    for protocol in method.get("mediaUpload", {}).get("protocols", {}).values():
        paths.append((protocol["path"], True))
    found = []
    for path, is_upload in dict.fromkeys(paths):
        pieces = re.split(r"\{\+?(\w+)\}", path)
        pattern = "".join(
            re.escape(piece) if index % 2 == 0 else f"(?P<{piece}>[^/]+?)" for index, piece in enumerate(pieces)
        )
        found.append((pattern, sum(map(len, pieces[::2])), is_upload))
    return found


def _check_text(name: str, parameter: Mapping[str, Any], value: str) -> None:
    kind = parameter["type"]
    wrong = (
        (kind == "boolean" and value not in ("true", "false"))
        or (kind == "integer" and not re.fullmatch(r"-?\d+", value))
        or ("enum" in parameter and value not in parameter["enum"])
    )
    if wrong:
        raise ContractError(f"Invalid value at '{name}': {value!r}")
    if kind == "integer" and "maximum" in parameter and int(value) > int(parameter["maximum"]):
        raise ContractError(f"Invalid value at '{name}': above {parameter['maximum']}")


def _parsed_mask(text: str) -> dict[str, Any]:
    """``a,b(c,d),e/f`` as nested dictionaries."""
    position = 0

    def level() -> dict[str, Any]:
        nonlocal position
        found: dict[str, Any] = {}
        while position < len(text):
            match = re.compile(r"[\w*]+(?:/[\w*]+)*").match(text, position)
            if match is None:
                raise ContractError(f"Invalid field selection {text!r}")
            position = match.end()
            *outer, last = match[0].split("/")
            target = found
            for name in outer:
                target = target.setdefault(name, {})
            inner: dict[str, Any] = {}
            if text[position : position + 1] == "(":
                position += 1
                inner = level()
            target.setdefault(last, {}).update(inner)
            if text[position : position + 1] == ")":
                position += 1
                return found
            if text[position : position + 1] == ",":
                position += 1
        return found

    return level()
