"""The OpenAPI document, put in order for a person to read."""

import json
from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import Any
from urllib.parse import quote

from markdown_it import MarkdownIt
from markupsafe import Markup

from app.web.docs import lists

Json = dict[str, Any]

SERVICE = "http://localhost:9092"
"""Where the examples ask; page.js puts the address in place that the page was opened at."""
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_TAKES = {"takeInstance"}
"""Reads that do more than read: no button for these."""
_ENDS = {"release", "destroyInstance", "destroyMachine"}
"""Shown last of their kind: who tries the examples in order needs for the others what these end."""
_FROM_SHELL = {"instance": "$INSTANCE", "machineId": "$INSTANCE", "If-Match": "$ETAG"}
"""What an example cannot know: the page says how to set these variables."""


def of(document: Json) -> Json:
    """Return what the page shows: the guide, its headings, the operations by their tags, the lists."""
    operations = [
        _operation(document, path, method, told)
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    ]
    sections = [
        {
            "name": tag["name"],
            "slug": f"operations-{_slug(tag['name'])}",
            "told": tag["description"],
            "operations": sorted(some, key=lambda one: one["id"] in _ENDS),
        }
        for tag, some in _by_tag(document["tags"], operations)
    ]
    guide, headings = _guide(document["info"]["description"])
    return {
        "title": document["info"]["title"],
        "service": SERVICE,
        "guide": guide,
        "headings": headings,
        "sections": sections,
        "lists": [_list(one) for one in lists.of(document)],
    }


def _list(one: lists.List) -> Json:
    return {
        "name": one.name,
        "slug": one.slug,
        "told": _html(one.told, inline=True),
        "header": one.header,
        "rows": [
            {
                "word": word,
                "slug": f"{one.slug}-{word}",
                "cells": [_html(cell, inline=True) for cell in cells],
            }
            for word, cells in one.rows.items()
        ],
    }


def _by_tag(tags: list[Json], operations: list[Json]) -> Iterator[tuple[Json, Iterator[Json]]]:
    named = {tag["name"]: tag for tag in tags}
    for name, some in groupby(operations, key=lambda one: one["tag"]):
        yield named[name], some


def _guide(text: str) -> tuple[Markup, list[Json]]:
    """Render the guide, with an anchor at each heading."""
    tokens = _MARKDOWN.parse(text)
    headings = []
    for opening, inside in pairwise(tokens):
        if opening.type == "heading_open":
            slug = _slug(inside.content)
            opening.attrSet("id", slug)
            headings.append({"slug": slug, "text": inside.content})
    return _made(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})), headings


def _operation(document: Json, path: str, method: str, told: Json) -> Json:
    body = told.get("requestBody")
    content = body["content"]["application/json"] if body else {}
    answers = {status: _shared(document, one) for status, one in told["responses"].items()}
    good = {status: one for status, one in answers.items() if status < "400"}
    bad = {status: one for status, one in answers.items() if status >= "400"}
    return {
        "id": told["operationId"],
        "tag": told["tags"][0],
        "method": method.upper(),
        "path": path,
        "summary": told["summary"],
        "description": _html(told["description"].rpartition("\n\n")[0]),  # the role has a place of its own
        "role": told["security"][0]["token"][0] if told["security"] else None,
        "parameters": [_parameter(one) for one in told["parameters"]],
        "body": content and list(_fields(document, content["schema"])),
        "body_needed": bool(body and body["required"]),
        "curl": _curl(path, method, told, content.get("example")),
        "answers": [_answer(document, status, one) for status, one in good.items()],
        "problems": [
            {"status": status, "code": code, "title": example["value"]["title"]}
            for status, one in bad.items()
            for code, example in one["content"]["application/problem+json"]["examples"].items()
        ],
        "tryable": method == "get" and told["operationId"] not in _TAKES,
    }


def _parameter(one: Json) -> Json:
    return {
        "name": one["name"],
        "where": one["in"],
        "type": _type(one["schema"]),
        "needed": one.get("required", False),
        "told": _html(one["description"], inline=True),
        "example": one.get("example", ""),
        "choices": one["schema"].get("enum", []),
    }


def _shared(document: Json, response: Json) -> Json:
    name = response.get("$ref", "").rpartition("/")[2]
    found: Json = document["components"]["responses"][name] if name else response
    return found


def _answer(document: Json, status: str, one: Json) -> Json:
    ((media, content),) = one.get("content", {"": {}}).items()
    example = content.get("example")
    return {
        "status": status,
        "told": _html(one["description"], inline=True),
        "headers": [
            {"name": name, "told": _html(header["description"], inline=True)}
            for name, header in one.get("headers", {}).items()
            if "$ref" not in header  # those of every answer: the guide tells of them
        ],
        "media": media,
        "fields": list(_fields(document, content.get("schema", {}))),
        "example": example and json.dumps(example, indent=2, ensure_ascii=False),
    }


def _fields(document: Json, schema: Json, above: str = "") -> Iterator[Json]:
    """List the fields of an object, and below each those of the objects in it: `items[].project`."""
    known = _resolved(document, schema)
    needed = known.get("required", [])
    for name, field in known.get("properties", {}).items():
        inner = _resolved(document, field)
        items = _resolved(document, inner.get("items", {}))
        others = inner.get("additionalProperties")
        each = _resolved(document, others) if isinstance(others, dict) else {}
        yield {
            "name": above + name,
            "type": _type(inner, nullable=_nullable(field)),
            "needed": name in needed,
            "told": _html(field.get("description") or inner.get("description", ""), inline=True),
            "default": json.dumps(field["default"]) if "default" in field else None,
        }
        yield from _fields(document, inner, f"{above}{name}.")
        yield from _fields(document, items, f"{above}{name}[].")
        yield from _fields(document, each, f"{above}{name}.*.")


def _resolved(document: Json, schema: Json) -> Json:
    """Follow a reference, and look past a null that stands beside it."""
    if "anyOf" in schema:
        (schema,) = (kind for kind in schema["anyOf"] if kind != {"type": "null"})
    if "$ref" in schema:
        found: Json = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found
    return schema


def _nullable(schema: Json) -> bool:
    return {"type": "null"} in schema.get("anyOf", [])


def _type(schema: Json, *, nullable: bool = False) -> str:
    kind = schema.get("format") or schema.get("type", "")
    if kind == "array":
        kind = "list"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        kind += f", {low} to {high}"
    if "maxLength" in schema:
        kind += f", at most {schema['maxLength']} characters"
    if "enum" in schema:
        kind = " | ".join(schema["enum"])
    if "default" in schema:
        kind += f", {json.dumps(schema['default'])} unless given"
    return f"{kind} or null" if nullable else kind


def _curl(path: str, method: str, told: Json, body: Json | None) -> str:
    for one in told["parameters"]:
        if one["in"] == "path":
            value = _FROM_SHELL.get(one["name"]) or quote(one["example"])
            path = path.replace(f"{{{one['name']}}}", value)
    lines = [f"curl {SERVICE}{path}" if method == "get" else f"curl -X {method.upper()} {SERVICE}{path}"]
    if told["security"]:
        lines.append('-H "Authorization: Bearer $ORCHESTRATOR_TOKEN"')
    headers = [one["name"] for one in told["parameters"] if one["in"] == "header"]
    lines += [f'-H "{name}: {_FROM_SHELL[name]}"' for name in headers]
    if body is not None:
        lines += ['-H "Content-Type: application/json"', f"-d {_quoted(body)}"]
    return " \\\n     ".join(lines)


def _quoted(body: Json) -> str:
    """Write the body as a word of the shell: in double quotes where it has a variable in it."""
    written = json.dumps({name: _FROM_SHELL.get(name, value) for name, value in body.items()})
    if _FROM_SHELL.keys() & body.keys():
        return '"' + written.replace('"', '\\"') + '"'
    return f"'{written}'"


def _html(text: str, *, inline: bool = False) -> Markup:
    return _made(_MARKDOWN.renderInline(text) if inline else _MARKDOWN.render(text))


def _made(written: str) -> Markup:
    """Take what was made of Markdown as it is, but for links to this page, which need not load it again."""
    here = written.replace('href="/docs#', 'href="#')
    return Markup(here)  # noqa: S704 - what stands in the text as HTML is escaped by markdown-it


def _slug(text: str) -> str:
    return "-".join(text.lower().split())
