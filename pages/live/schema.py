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
        for node, doc in with_docs(tree.body):
            name = defined_name(node)
            if name == NOT_EXPORTED or (names and name not in names):
                continue
            match node:
                case ast.ClassDef():
                    parts.append(of_class(node, [FIGURE_BASE] if name in figures else []))
                case ast.Assign(value=ast.Call(func=ast.Name(id="TypedDict")) as call):
                    parts.append(of_typed_dict(name, call, doc))
                case ast.AnnAssign(annotation=ast.Name(id="TypeAlias"), value=ast.expr() as aliased):
                    parts.append(f"export type {NAMES.get(name, name)} = {typescript(aliased)};\n")
    return "\n".join(parts)


def with_docs(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, str]]:
    """Statements, each with the string that stands below it."""
    for node, below in zip(body, [*body[1:], None], strict=True):
        match below:
            case ast.Expr(value=ast.Constant(value=str(doc))):
                yield node, inspect.cleandoc(doc)
            case _:
                yield node, ""


def defined_name(node: ast.stmt) -> str:
    """What a statement defines: a class, or the target of an assignment; "" for anything else."""
    match node:
        case ast.ClassDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return ""


def figure_classes(tree: ast.Module) -> set[str]:
    """The classes that the alias `Figure` of a module unites."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "Figure" and node.value:
            return {name.id for name in ast.walk(node.value) if isinstance(name, ast.Name)}
    return set()


def of_class(node: ast.ClassDef, more_bases: list[str]) -> str:
    """A dataclass, pydantic model or TypedDict as an interface."""
    python_bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
    bases = [base for base in python_bases if base not in NO_BASES] + more_bases
    optional = FROM_BROWSER in bases or is_total_false(node.keywords)
    members = [
        (key(field, optional, "TypedDict" in python_bases), field.annotation, doc)
        for field, doc in with_docs(node.body)
        if isinstance(field, ast.AnnAssign)
    ]
    return interface(node.name, bases, members, ast.get_docstring(node) or "")


def of_typed_dict(name: str, call: ast.Call, doc: str) -> str:
    """A call of TypedDict, for keys that are no names in Python, as an interface."""
    entries = call.args[1]
    assert isinstance(entries, ast.Dict)
    members = []
    for entry, annotation in zip(entries.keys, entries.values, strict=True):
        assert entry is not None
        optional = is_optional(annotation, is_total_false(call.keywords))
        members.append((ast.literal_eval(entry) + "?" * optional, annotation, ""))
    return interface(name, [], members, doc)


def interface(name: str, bases: list[str], members: list[tuple[str, ast.expr, str]], doc: str) -> str:
    """An interface; each of its members is (key, annotation in Python, comment)."""
    extends = f" extends {', '.join(bases)}" if bases else ""
    lines = [*comment(doc), f"export interface {NAMES.get(name, name)}{extends} {{"]
    for member, annotation, member_doc in members:
        kind = typescript(annotation)
        if member.endswith("?") and FROM_BROWSER not in bases:
            kind = kind.removesuffix(" | null")  # it is left out instead
        lines += [*comment(member_doc, "  "), f"  {member}: {kind};"]
    return "\n".join([*lines, "}\n"])


def key(field: ast.AnnAssign, optional: bool, typed_dict: bool) -> str:
    """The key of a field in JSON, with "?" where it may be left out.

    It is the field's name, unless `field(metadata={"key": ...})` or `Field(alias=...)` says otherwise. With `optional`,
    a TypedDict may leave out what is not Required, and a message what has a default; in any case may be left out what
    is NotRequired and what `field(metadata={"optional": True})` marks.
    """
    name = ast.unparse(field.target)
    optional = is_optional(field.annotation, optional) if typed_dict else optional and field.value is not None
    if isinstance(field.value, ast.Call):
        options = {option.arg: option.value for option in field.value.keywords}
        name = ast.literal_eval(options["alias"]) if "alias" in options else name
        metadata = ast.literal_eval(options["metadata"]) if "metadata" in options else {}
        name, optional = metadata.get("key", name), optional or metadata.get("optional", False)
    return name + "?" * optional


def is_optional(annotation: ast.expr, otherwise: bool) -> bool:
    """Whether a key of a TypedDict may be left out."""
    text = ast.unparse(annotation)
    return text.startswith("NotRequired[") or (otherwise and not text.startswith("Required["))


def is_total_false(keywords: list[ast.keyword]) -> bool:
    """Whether `total=False` is among the arguments of a TypedDict."""
    return any(keyword.arg == "total" and ast.unparse(keyword.value) == "False" for keyword in keywords)


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
        case ast.Subscript(value=ast.Name(id="ClassVar" | "Annotated" | "Required" | "NotRequired"), slice=of):
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
