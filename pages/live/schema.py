"""Writes the dataclasses that cross to the browser as TypeScript interfaces, for the type checker of the board.

python -m pages.live.schema        writes assets/board/schema.d.ts (make types)

The sources are read, not imported: figures get the name of their class with "Spec" behind it, all others keep theirs;
a class's docstring, and a string below a field, become comments.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "assets" / "board" / "schema.d.ts"
# File -> the types that are taken from it; all of them where none is named.
SOURCES: dict[str, tuple[str, ...]] = {
    "engine/messages.py": ("RunControl",),
    "lessons/board/figures.py": (),
    "lessons/contract.py": ("Query",),
    "pages/ui/page_data.py": (),
    "pages/live/protocol.py": (),
}
HEADER = """\
// Written by python -m pages.live.schema (make types) from these files; edit them instead:
// {sources}
"""

# Python's name of a type -> TypeScript's.
NAMES = {
    "str": "string",
    "int": "number",
    "float": "number",
    "bool": "boolean",
    "Any": "any",
    "Values": "Record<string, any>",
    "object": "unknown",
    "Figure": "FigureSpec",
    **{figure: f"{figure}Spec" for figure in ("Plot", "Map", "Graph", "Strip", "Links", "Table", "Network")},
}
# What a page gives as FigureSpec is a figure as JSON: any mapping in Python, the union of their interfaces here.
NOT_EXPORTED = "FigureSpec"
# The base of all figures' interfaces, which adds their words.
FIGURE_BASE = "FigureText"
# Bases that are Python's affair.
NO_BASES = ("BaseModel", "TypedDict")
# The base of all messages from the browser.
FROM_BROWSER = "FromBrowser"


def schema() -> str:
    """The whole file."""
    parts = [HEADER.format(sources=", ".join(SOURCES))]
    for source, names in SOURCES.items():
        tree = ast.parse((ROOT / source).read_text(encoding="utf-8"))
        figures = figure_classes(tree)
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and (not names or node.name in names):
                parts.append(interface(node, [FIGURE_BASE] if node.name in figures else []))
            elif isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias" and node.value:
                name = ast.unparse(node.target)
                if name != NOT_EXPORTED and (not names or name in names):
                    parts.append(f"export type {NAMES.get(name, name)} = {typescript(node.value)};\n")
    return "\n".join(parts)


def figure_classes(tree: ast.Module) -> set[str]:
    """The classes that the alias `Figure` of a module unites."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "Figure" and node.value:
            return {name.id for name in ast.walk(node.value) if isinstance(name, ast.Name)}
    return set()


def interface(node: ast.ClassDef, more_bases: list[str]) -> str:
    """A dataclass or pydantic model as an interface."""
    bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id not in NO_BASES] + more_bases
    extends = f" extends {', '.join(bases)}" if bases else ""
    lines = [f"export interface {NAMES.get(node.name, node.name)}{extends} {{"]
    for field, doc in fields(node):
        lines += [*comment(doc, "  "), f"  {key(field, FROM_BROWSER in bases)}: {typescript(field.annotation)};"]
    return "\n".join([*comment(ast.get_docstring(node) or ""), *lines, "}\n"])


def fields(node: ast.ClassDef) -> Iterator[tuple[ast.AnnAssign, str]]:
    """The fields of a class, each with the string that stands below it."""
    for field, below in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign):
            match below:
                case ast.Expr(value=ast.Constant(value=str(doc))):
                    yield field, inspect.cleandoc(doc)
                case _:
                    yield field, ""


def key(field: ast.AnnAssign, from_browser: bool) -> str:
    """The key of a field in JSON, with "?" where it may be left out.

    It is the field's name, unless `field(metadata={"key": ...})` or `Field(alias=...)` says otherwise. A message from
    the browser may leave out what has a default, one to the browser what `field(metadata={"optional": True})` marks.
    """
    name, optional = ast.unparse(field.target), from_browser and field.value is not None
    if ast.unparse(field.annotation).startswith("NotRequired["):
        optional = True
    if isinstance(field.value, ast.Call):
        options = {option.arg: option.value for option in field.value.keywords}
        name = ast.literal_eval(options["alias"]) if "alias" in options else name
        metadata = ast.literal_eval(options["metadata"]) if "metadata" in options else {}
        name, optional = metadata.get("key", name), optional or metadata.get("optional", False)
    return f"{name}?" if optional else name


def typescript(annotation: ast.expr) -> str:
    """A Python annotation in TypeScript."""
    match annotation:
        case ast.Constant(value=None):
            return "null"
        case ast.Name(id=name):
            return NAMES.get(name, name)
        case ast.BinOp(left=left, right=right):
            return f"{typescript(left)} | {typescript(right)}"
        case ast.Subscript(value=ast.Name(id="Literal"), slice=of):
            return " | ".join(json.dumps(ast.literal_eval(value)) for value in elements(of))
        case ast.Subscript(value=ast.Name(id="ClassVar" | "Annotated" | "NotRequired"), slice=of):
            return typescript(elements(of)[0])
        case ast.Subscript(value=ast.Name(id="dict" | "Mapping"), slice=of):
            return f"Record<{', '.join(map(typescript, elements(of)))}>"
        case ast.Subscript(value=ast.Name(id="list" | "Sequence"), slice=of):
            return array(of)
        case ast.Subscript(value=ast.Name(id="tuple"), slice=of):
            first, *rest = elements(of)
            if rest and ast.unparse(rest[0]) == "...":
                return array(first)
            return f"[{', '.join(map(typescript, elements(of)))}]"
    raise ValueError(f"no TypeScript for {ast.unparse(annotation)}")


def array(of: ast.expr) -> str:
    """An array of a type."""
    name = typescript(of)
    return f"({name})[]" if " | " in name else f"{name}[]"


def elements(node: ast.expr) -> list[ast.expr]:
    """What stands between the brackets of a type."""
    return node.elts if isinstance(node, ast.Tuple) else [node]


def comment(doc: str, indent: str = "") -> list[str]:
    """A docstring as the lines of a comment; none for an empty one."""
    if not doc:
        return []
    if "\n" not in doc:
        return [f"{indent}/** {doc} */"]
    return [f"{indent}/**", *(f"{indent} * {line}".rstrip() for line in doc.splitlines()), f"{indent} */"]


if __name__ == "__main__":
    TARGET.write_text(schema(), encoding="utf-8")
