"""Over the wire: a run as a file, marks and origin of a fork, and onlookers, who get curves and count for nothing."""

from __future__ import annotations

from engine.records.importing import open_untrusted
from engine.types import Job
from tests.conftest import wait_until
from tests.web.conftest import Site, hear, tell, until


def test_a_run_is_saved_as_one_whole_file(site: Site, tmp_path: object) -> None:
    run = site.run()
    wait_until(lambda: run.ended)
    status, headers, body = site.get(f"/live/record/{run.id}")
    assert status == 200
    assert headers["content-disposition"] == f'attachment; filename="{run.id}.run"'
    assert headers["cache-control"] == "no-store"
    path = site.state.engine.library.temp_path("saved")
    path.write_bytes(body)
    saved = open_untrusted(path)
    assert saved.history() == run.record.history()
    assert saved.status == "done"
    saved.close()
    path.unlink()
    for name in ("no-such-run", "..%2Fsecret", "first-gradient_descent%00"):
        assert site.get(f"/live/record/{name}")[0] == 404


def test_an_onlooker_gets_every_scalar_no_frame_and_is_nobodys_viewer(site: Site) -> None:
    run = site.run()
    with site.socket("bob") as socket:
        tell(socket, op="watch", run=run.id, **{"from": -1, "aside": True})
        wait_until(lambda: run.ended)
        until(socket, "run", status="done")
        assert run.viewers == {}
        assert len(run.onlookers) == 1
        tell(socket, op="watch", run=run.id, **{"from": -1, "aside": True})
        kinds = set()
        for _ in range(2):
            header, _ = hear(socket)
            kinds.add(header["type"])
        assert kinds == {"run", "scalars"}
        tell(socket, op="leave", run=run.id)
        wait_until(lambda: not run.onlookers)


def test_a_fork_says_where_it_comes_from_as_long_as_that_is_there(site: Site) -> None:
    engine = site.state.engine
    source = site.run()
    wait_until(lambda: source.ended)
    copy = source.record.copy(engine.library.path("gradient_descent-copy"), 5, None, (source.id, 5))
    copy.end("stopped")
    copy.close()
    fork = engine.get("gradient_descent-copy")
    assert isinstance(fork.job, Job)
    assert site.state.hub.describe(fork).origin == (source.id, 5)
    engine._registry.pop(source.id).record.remove()
    assert site.state.hub.describe(fork).origin is None
