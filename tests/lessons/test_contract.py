"""What every lesson promises. A new lesson is in the catalog and gets all of this for free."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from engine.controls import Choice, MultiChoice, Number, Picture
from engine.hooks import Compute
from engine.params import Params, parse
from engine.records.record import MAX_CHECKPOINTS, MAX_FRAMES, Record
from engine.types import Job, Problem, Scalars, Tick
from engine.wire import pack
from lessons import catalog, recordings, text
from lessons.board import figures as board
from lessons.board import readings as reading
from lessons.board.fold import fold
from lessons.contract import Figures

NAMES = [lesson.name for lesson in catalog.lessons()]
FILES = ("params.py", "compute.py", "figures.py", "script.py", "demo.run", "en.md", "zh.md")
DEMO_BYTES = 200_000
RUN_BYTES = 8_000_000

pytestmark = pytest.mark.parametrize("name", NAMES)


def params(name: str) -> Any:
    return catalog.part(name, "params")


def settings_of(name: str) -> list[Params]:
    """The lesson's own settings and every preset."""
    module = params(name)
    return [module.Params(), module.TINY, *(parse(module.Params, one) for one in module.PRESETS.values())]


def test_its_files_are_there(name: str) -> None:
    folder = catalog.lesson(name).folder
    assert [file for file in FILES if not (folder / file).exists()] == []
    assert (folder / "demo.run").stat().st_size <= DEMO_BYTES
    assert (catalog.FOLDER.parent / "pages" / f"{name}.py").exists()


HOOKS = {"compute": (Compute, {"run"}), "figures": (Figures, {"draw"})}  # with those that a lesson must have


@pytest.mark.parametrize("part", HOOKS)
def test_its_hooks_take_what_the_contract_says(name: str, part: str) -> None:
    """A function of a hook's name has that hook's arguments; a class may stand for one that makes an object."""
    contract, required = HOOKS[part]
    module = vars(__import__(f"lessons.{name}.{part}", fromlist=["run"]))
    assert required <= module.keys()
    for hook in contract.names():
        if hook in module:
            declared = inspect.signature(getattr(contract, hook)).parameters
            taken = inspect.signature(module[hook]).parameters
            assert list(taken) == list(declared)[1:], hook
            defaults = [key for key, one in taken.items() if one.default is not one.empty]
            assert defaults == [key for key, one in declared.items() if one.default is not one.empty], hook


def test_hooks_that_it_does_not_write_do_what_the_contract_says(name: str) -> None:
    own = vars(catalog.part(name, "figures"))
    drawn, settings = catalog.figures(name), params(name).TINY
    assert all(getattr(drawn, hook) is own[hook] for hook in Figures.names() if hook in own)
    if "asks" not in own:
        assert drawn.asks(settings) == []
    if "remarks" not in own:
        assert drawn.remarks(settings) == []
    if "on_choose" not in own:
        assert drawn.on_choose(settings, {"x": 1.0}) == {"x": 1.0}
    if "on_upload" not in own:
        assert drawn.on_upload(settings, "csv", b"") == {}
    with pytest.raises(Problem, match="no question named 'nothing of the kind'"):
        drawn.answer(settings, "nothing of the kind", {}, {})


def test_what_it_builds_on_comes_before_it(name: str) -> None:
    assert set(catalog.lesson(name).after) <= set(NAMES[: NAMES.index(name)])


def test_its_settings_have_controls_and_defaults_in_bounds(name: str) -> None:
    kind = params(name).Params
    assert list(dict(kind.controls())) == list(kind.model_fields)
    default = kind()
    assert parse(kind, default.model_dump(mode="json")) == default
    assert isinstance(dict(kind.controls())["seed"], Number)
    for setting in kind.settings().values():
        for other, values in setting.when.items():
            assert other in kind.model_fields
            assert values


def test_every_setting_survives_a_link(name: str) -> None:
    from pages.ui.state import query_value

    for one in settings_of(name):
        link = {field: query_value(value) for field, value in one.changed().items()}
        assert parse(type(one), link) == one


def test_both_languages_say_the_same_things(name: str) -> None:
    en, zh = (text.read(name, language) for language in catalog.LANGUAGES)
    assert [one.settings for one in en.tries] == [one.settings for one in zh.tries]
    for part in ("predict", "quiz"):
        ours, theirs = getattr(en, part), getattr(zh, part)
        assert [(len(one.options), one.right, one.settings) for one in ours] == [
            (len(one.options), one.right, one.settings) for one in theirs
        ]
    for part in ("why", "example"):
        assert [bool(one.heading) for one in getattr(en, part)] == [bool(one.heading) for one in getattr(zh, part)]
        assert [one.folded for one in getattr(en, part)] == [one.folded for one in getattr(zh, part)]
    assert list(en.controls) == list(zh.controls)
    assert {key: list(one.options) for key, one in en.controls.items()} == {
        key: list(one.options) for key, one in zh.controls.items()
    }
    assert list(en.presets) == list(zh.presets)
    assert list(en.figures) == list(zh.figures)
    for key, figure in en.figures.items():
        other = zh.figures[key]
        assert list(figure.labels) == list(other.labels), key
        assert Counter(reading.parts(figure.reading)) == Counter(reading.parts(other.reading)), key
        assert bool(figure.caption) == bool(other.caption), key
    assert len(en.terms) == len(zh.terms)
    assert len(en.read_on) == len(zh.read_on)


def test_the_sources_have_as_many_formulas(name: str) -> None:
    dollars = [(catalog.lesson(name).folder / f"{one}.md").read_text("utf-8").count("$") for one in catalog.LANGUAGES]
    assert dollars[0] == dollars[1]
    assert dollars[0] % 2 == 0


def test_chinese_is_written_with_chinese_punctuation(name: str) -> None:
    source = (catalog.lesson(name).folder / "zh.md").read_text("utf-8")
    prose = re.sub(r"```.*?```|`[^`]*`|\$[^$]*\$|\]\([^)]*\)", "", source, flags=re.DOTALL)
    assert re.findall(r".{0,12}[\u4e00-\u9fff][,;!?].{0,12}", prose) == []


def test_everything_it_needs_to_teach_is_there(name: str) -> None:
    for language in catalog.LANGUAGES:
        words = text.read(name, language)
        assert words.title
        assert words.lead
        assert len(words.tries) >= 2
        assert words.predict
        assert words.why
        assert words.example
        assert len(words.quiz) >= 3
        assert words.terms
        assert words.read_on


def test_its_settings_are_documented(name: str) -> None:
    module = params(name)
    for language in catalog.LANGUAGES:
        words = text.read(name, language)
        for field, control in module.Params.controls():
            if field == "seed" and field not in words.controls:
                continue  # the interface has words for it
            said = words.controls[field]
            assert said.label
            if isinstance(control, Choice | MultiChoice) and not getattr(control, "many", False):
                assert list(said.options) == list(control.options), field
        assert set(words.controls) <= set(module.Params.model_fields)
        assert list(words.presets) == list(module.PRESETS)


def test_its_links_work(name: str) -> None:
    kind = params(name).Params
    words = text.read(name, "en")
    for settings in [one.settings for one in words.tries] + [one.settings for one in words.predict]:
        parse(kind, settings)


def figures(name: str, settings: Params, language: str = "en") -> dict[str, board.Figure]:
    return catalog.figures(name).draw(settings, text.read(name, language))


def test_it_draws_valid_figures_in_both_languages(name: str) -> None:
    for settings in settings_of(name):
        drawn = [figures(name, settings, language) for language in catalog.LANGUAGES]
        assert list(drawn[0]) == list(drawn[1])
        assert [one.size for one in drawn[0].values()].count("hero") == 1
        assert next(iter(drawn[0].values())).size == "hero"
        for key, figure in drawn[0].items():
            assert key == figure.id
            said = text.read(name, "en").figures[key]
            assert said.title
            assert said.alt
            if isinstance(figure, board.Plot):
                valid(figure)
            if isinstance(figure.picks, board.Choose):
                assert set(figure.picks.sets) <= set(type(settings).model_fields)
            for trace in getattr(figure, "traces", ()):
                for one in trace.get("hold", {}).get("free", {}).values():
                    parse(type(settings), {one["sets"]: one["from"]})
                    parse(type(settings), {one["sets"]: one["to"]})


SAID = ("say", "low", "lower", "upper", "high")  # what patches and bands put into one
OURS = ("bind", "hold", "band", "first", "draw", "key")  # what lessons/board/figures.py adds to a plotly trace


def valid(figure: board.Plot) -> None:
    """plotly itself accepts the traces and the layout, and every axis has its name."""
    named = [trace["name"] for trace in figure.traces]
    assert len(set(named)) == len(named), figure.id
    bare = [{key: value for key, value in trace.items() if key not in OURS} for trace in figure.traces]
    made = go.Figure({"data": bare, "layout": figure.layout})
    solid = [trace["type"] in ("surface", "scatter3d", "mesh3d", "cone") for trace in figure.traces]
    axes = [] if all(solid) else [*made.select_xaxes(), *made.select_yaxes()]
    for scene in made.select_scenes():
        axes += [scene.xaxis, scene.yaxis, scene.zaxis] if any(solid) else []
    for axis in axes:
        assert axis.title.text or axis.visible is False, (figure.id, axis)


def test_every_figure_it_draws_has_words_and_the_other_way_round(name: str) -> None:
    drawn: set[str] = set()
    module = params(name)
    for settings in settings_of(name):
        drawn |= set(figures(name, settings))
        for field, control in module.Params.controls():
            for value in getattr(control, "options", ()):
                changed = (value,) if isinstance(control, MultiChoice) else value
                drawn |= set(figures(name, settings.model_copy(update={field: changed})))
            if isinstance(control, Picture):
                drawn |= set(figures(name, settings.model_copy(update={field: "0" * 64})))
    assert drawn == set(text.read(name, "en").figures)


def run(name: str, settings: Params) -> tuple[list[tuple[int, Scalars]], list[Tick], int]:
    """The history and all frames of a run in this process, and the total it promised."""
    compute = __import__(f"lessons.{name}.compute", fromlist=["run"])
    job = Job(catalog.lesson(name).entry, settings.model_dump(mode="json"), getattr(settings, "seed", 0), "cpu")
    history: list[tuple[int, Scalars]] = []
    ticks = []
    total = 0
    for step in compute.run(job):
        history.append((step.step, dict(step.scalars)))
        ticks.append(Tick(step.step, step.scalars, step.frame()))
        total = step.total
    return history, ticks, total


def test_a_tiny_run_counts_its_steps_and_its_frames_fit_the_figures(name: str) -> None:
    settings = params(name).TINY
    history, ticks, total = run(name, settings)
    assert [step for step, _ in history] == list(range(total + 1))
    drawn = figures(name, settings)
    update = catalog.figures(name).update
    said: dict[str, dict[str, float | str]] = {}
    for tick in (ticks[0], ticks[len(ticks) // 2], ticks[-1]):
        patches = update(settings, tick)
        for patch in patches:
            said.setdefault(patch.figure, {}).update(patch.data.get("say", {}))
        folded = fold(drawn, history[: tick.step + 1], patches)
        for key, figure in drawn.items():
            fits(figure, folded[key])
    names = {field for _, scalars in history for field in scalars}
    bound_names(drawn, names)
    readings(name, drawn, history, said, names)


def test_its_default_run_stays_small_on_disk_however_long_it_takes(name: str, tmp_path: Path) -> None:
    """A slow machine leaves more pictures and checkpoints, up to what a record keeps: here as many are written."""
    compute = __import__(f"lessons.{name}.compute", fromlist=["run"])
    record = Record.create(tmp_path / "a.run", recordings.job(name))
    for step in islice(compute.run(record.job), 3):  # the first ones may have less to show than the rest
        shown, state = step.frame(), step.state()
    for at in range(MAX_FRAMES + 1):
        record.add_frame(pack({"step": at, "scalars": {}}, shown))
    for at in range(MAX_CHECKPOINTS + 1):
        record.add_checkpoint(pack({"step": at}, state))
    record.end("done")
    record.close()
    assert record.path.stat().st_size + 8 * len(step.scalars) * step.total < RUN_BYTES


def fits(figure: board.Figure, folded: dict[str, Any]) -> None:
    """A figure as drawn at one step is sound: plotly takes it, tiles have their rows, images their colours."""
    if isinstance(figure, board.Plot):
        bare = [{key: value for key, value in trace.items() if key not in (*OURS, *SAID)} for trace in folded["traces"]]
        go.Figure({"data": bare, "layout": folded["layout"]})
        return
    data = folded.get("data")
    if not data:
        return
    if isinstance(figure, board.Map) and "tiles" in data:
        tiles = np.asarray(data["tiles"])
        assert tiles.ndim == (4 if figure.colours == "rgb" else 3), figure.id
        rows, columns = data.get("rows", figure.rows), data.get("columns", figure.columns)
        if figure.by_tile:
            assert len(tiles) == len(figure.tiles) == len(rows) * len(columns), figure.id
        else:
            assert len(rows) in (0, tiles.shape[1]), figure.id
            assert len(columns) in (0, tiles.shape[2]), figure.id
    elif isinstance(figure, board.Strip) and "images" in data:
        images = np.asarray(data["images"])
        assert images.ndim == 4, figure.id
        assert images.shape[3] == 3, figure.id
        for key in ("label", "guess", "index", "probabilities"):
            assert len(data.get(key, images)) == len(images), (figure.id, key)
    elif isinstance(figure, board.Links):
        assert np.shape(data["weights"]) == (len(data["left"]), len(data["right"])), figure.id
    elif isinstance(figure, board.Table):
        assert np.shape(data["values"]) == (len(data["names"]), len(figure.columns)), figure.id
    elif isinstance(figure, board.Graph):
        assert len(data.get("nodes", figure.nodes)) == len(figure.nodes), figure.id
        assert len(data.get("edges", figure.edges)) == len(figure.edges), figure.id


def bound_names(drawn: dict[str, board.Figure], names: set[str]) -> None:
    """Every scalar that a trace follows is one that the run gives; most rules of a run show within TINY."""
    for figure in drawn.values():
        for trace in getattr(figure, "traces", ()):
            for source in trace.get("bind", {}).values():
                wanted = {source} if isinstance(source, str) else {one for one in source if one}
                missing = wanted - names - {"step"}
                assert not missing or any(one.startswith("lost") for one in missing), (
                    figure.id,
                    trace["name"],
                    missing,
                )
        for row in getattr(figure, "bind", ()):
            assert {one for one in row if one} <= names, figure.id


def readings(
    name: str,
    drawn: dict[str, board.Figure],
    history: list[tuple[int, Scalars]],
    said: dict[str, dict[str, float | str]],
    names: set[str],
) -> None:
    """Every figure says something at the start and at the end, in both languages, with no part left unfilled."""
    for language in catalog.LANGUAGES:
        words = text.read(name, language)
        labels = {key: label for one in words.controls.values() for key, label in one.options.items()}
        for key in drawn:
            template = words.figures[key].reading
            if not template:
                continue
            for word, field, _ in reading.parts(template):
                if word in reading.WORDS:
                    assert field in names, f"{key}: {field} is no scalar of a run"
            for end in (1, len(history)):
                sentence = reading.reading(template, history[:end], said.get(key), labels)
                assert "{" not in sentence, (key, sentence)


def test_the_script_takes_every_setting(name: str) -> None:
    settings = params(name).TINY
    filled = catalog.script(name, settings)
    compile(filled, f"{name}.py", "exec")
    block = filled[filled.index("# settings") : filled.index("# end of settings")]
    values = dict(re.findall(r"^([A-Z][A-Z0-9_]*)(?:: [^=]+)? = (.+?)(?:\s{2,}#.*)?$", block, re.MULTILINE))
    fields = {field.upper(): value for field, value in settings.model_dump().items()}
    assert values, "the script has no constants between # settings and # end of settings"
    assert set(values) <= set(fields)
    assert {key: repr(fields[key]) for key in values} == values
    assert "final loss" in filled
    assert not re.search(r"^(from|import) (engine|lessons|pages)", filled, re.MULTILINE)


def test_its_first_run_is_of_its_own_settings(name: str) -> None:
    record = Record.open(catalog.lesson(name).folder / "demo.run")
    try:
        kind = params(name).Params
        assert parse(kind, record.job.params) == kind()
        assert record.status in ("done", "recorded")
        assert record.last == record.total
    finally:
        record.close()


def test_params_and_figures_need_no_torch(name: str) -> None:
    folder = catalog.lesson(name).folder
    for file in ("params.py", "figures.py"):
        assert not re.search(r"^\s*(import|from) torch", (folder / file).read_text("utf-8"), re.MULTILINE)
