/** Questions to a run and their answers. */

const ASKING = 200; // ms between two questions of one kind

/** Questions: those of the page and those of clicks, asked again as the playhead's frame changes. */
export class Asks {
  constructor(board) {
    this.board = board;
    this.standing = new Map(); // key -> {name, args, follow, once, asked, at, flight}
    this.flights = new Map(); // id -> key
    this.id = 0;
  }

  /** The page's standing questions. They follow the moment on show, or with `follow` false are asked once of each run,
      or with `once` are about no run, only about what they ask with. */
  page(list) {
    const keys = new Set();
    (list || []).forEach(({ name, args, follow = true, once = false }, index) => {
      const key = `page/${name}/${index}`;
      keys.add(key);
      const known = this.standing.get(key);
      const unchanged = known && JSON.stringify(known.args) === JSON.stringify(args || {});
      if (!unchanged) this.ask(key, name, args || {}, follow && !once, once);
    });
    for (const key of [...this.standing.keys()]) {
      if (key.startsWith("page/") && !keys.has(key)) this.drop(key);
    }
  }

  /** Nobody asks this any more: what it brought goes. */
  drop(key) {
    this.standing.delete(key);
    this.board.dock.dismiss(`refused ${key}`);
    for (const figure of this.board.figures.values()) if (figure.answers.delete(key)) figure.patched();
  }

  ask(key, name, args, follow, once = false) {
    const known = this.standing.get(key);
    this.standing.delete(key); // what is asked last stands last
    this.standing.set(key, {
      name,
      args,
      follow,
      once,
      asked: null,
      at: known?.at ?? -1e9,
      flight: known?.flight ?? 0,
    });
    this.board.moved = true;
    this.board.schedule();
  }

  /** A gesture asks: the same question as before, with what it says anew (a layer here, an image there). */
  picked(name, args, follow) {
    const key = `pick/${name}`;
    this.ask(key, name, { ...this.standing.get(key)?.args, ...args }, follow);
  }

  /** Sends what is due; returns in how many ms something will be. */
  send(now) {
    const { run, playhead } = this.board;
    let wait = Infinity;
    if (!run || !run.history.rows.n || !this.board.link.up || run.status === "queued") return wait;
    const live = playhead.follow && !run.ended;
    const frame = run.frameStep(playhead.step);
    const moment = `${run.serial} ${run.cuts} ${frame >= 0 ? frame : playhead.step} ${run.ended}`;
    for (const [key, one] of this.standing) {
      if (one.asked !== null && (one.asked === moment || !one.follow)) continue;
      if (one.flight) continue;
      const due = one.asked === null ? 0 : ASKING - (now - one.at);
      if (due > 0) {
        wait = Math.min(wait, due);
        continue;
      }
      const id = ++this.id;
      if (
        !this.board.link.send({
          op: "ask",
          id,
          run: run.id,
          step: live ? null : playhead.step,
          name: one.name,
          args: one.args,
        })
      )
        continue;
      Object.assign(one, { asked: moment, at: now, flight: id });
      this.flights.set(id, key);
    }
    return wait;
  }

  /** An answer or a refusal came: returns the question's key, or null if nobody waits for it any more. */
  landed(id) {
    const key = this.flights.get(id);
    this.flights.delete(id);
    const one = this.standing.get(key);
    if (one?.flight === id) one.flight = 0;
    this.board.schedule();
    return one ? key : null;
  }

  /** Another run: the page's questions and those that follow are asked of it too, the others were about the old one. */
  left() {
    for (const [key, one] of [...this.standing]) {
      if (one.once && one.asked !== null && !one.flight) continue;
      one.asked = null;
      one.flight = 0;
      if (!one.follow && !key.startsWith("page/")) this.drop(key);
    }
    this.flights.clear();
  }

  reconnected() {
    for (const one of this.standing.values()) if (one.flight) Object.assign(one, { flight: 0, asked: null });
    this.flights.clear();
  }
}
