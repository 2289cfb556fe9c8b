/** One board: its figures, its runs, and what moves them. */

import { Link } from "./connection.js";
import { attribute, make, still } from "./dom.js";
import { KINDS } from "./figures/kinds.js";
import { Fetcher } from "./frames.js";
import { History } from "./history.js";
import { Dock } from "./player.js";
import { Playhead } from "./playhead.js";
import { Asks } from "./queries.js";
import { Run } from "./run.js";
import { Box } from "./text_box.js";
import { themeOf } from "./theme.js";
import { resolved } from "./wire.js";

const DRAWING = 14; // ms of an animation frame after which the other figures wait for the next one

const PICTURE = 100; // ms that a new run's first numbers wait for the picture that belongs to them
const BEHIND = 40; // ms that further numbers of a run wait for theirs

const replayed = new Set(); // runs that were shown from the start once

export class Board {
  constructor(parent, component) {
    this.parent = parent;
    this.spec = { figures: [], names: {}, ui: {}, language: "en" };
    this.figures = new Map();
    this.runs = new Map();
    this.run = null;
    this.pageRun = undefined; // what the page last asked for
    this.playhead = new Playhead();
    this.data = component.data;
    this.choices = Date.now();
    this.root = make("div", "tr-board", { "data-waiting": "" });
    this.grid = make("div", "tr-grid");
    this.dock = new Dock(this);
    this.box = new Box(this);
    this.link = new Link(this);
    this.asks = new Asks(this);
    this.fetcher = new Fetcher(this);
    this.root.append(this.box.element, this.grid, this.dock.element);
    parent.append(this.root);
    this.theme = themeOf(this.root);
    this.palette = null;
    this.frame = null; // the frame on screen
    this.pictured = false; // there are pictures in this lesson, not only numbers
    this.moved = true; // there is another moment to show
    this.readAgain = true;
    this.readAt = -1e9;
    this.tick = (now) => this.step(now);
    this.keys = (event) => this.key(event);
    document.addEventListener("keydown", this.keys);
    this.reach = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          const figure = this.figures.get(target.dataset.figure);
          if (figure) figure.near = isIntersecting;
        }
        this.schedule();
      },
      { rootMargin: "120px" },
    );
    this.sight = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          const figure = this.figures.get(target.dataset.figure);
          if (figure) figure.visible = isIntersecting;
        }
        this.schedule();
      },
      { rootMargin: "0px 0px -80px" }, // the dock covers the foot of the page
    );
    this.sizes = new ResizeObserver((entries) => {
      for (const { target } of entries) this.figures.get(target.parentElement?.dataset.figure)?.resized();
      this.schedule();
    });
    this.watchTheme();
    this.update(component);
    this.link.open();
  }

  /** Puts the board into another element: Streamlit made a new one for the same component. */
  adopt(parent) {
    this.parent = parent;
    parent.append(this.root);
    this.watchTheme();
  }

  /** The theme is on some element above: whichever changes, the colours are read again. */
  watchTheme() {
    this.themes?.disconnect();
    this.themes = new MutationObserver(() => this.retheme());
    for (let element = this.parent; element; element = element.parentElement) {
      this.themes.observe(element, { attributes: true, attributeFilter: ["class", "style", "data-theme"] });
    }
  }

  retheme() {
    const theme = themeOf(this.root);
    if (theme.key === this.theme.key) return;
    this.theme = theme;
    attribute(this.root, "data-dark", theme.dark);
    for (const figure of this.figures.values()) figure.changed();
    this.changed();
  }

  // what the page says

  /** A rerun of the page: new data and new ways to call back; the connection and the figures stay. */
  update({ data, setStateValue, setTriggerValue }) {
    this.data = data || {};
    this.setStateValue = setStateValue;
    this.setTriggerValue = setTriggerValue;
    this.plotly = this.resolve(this.data.plotly || this.data.assets?.["plotly.min.js"]);
    this.style(this.data.css || this.data.assets?.["live.css"]);
    this.retheme();
    attribute(this.root, "data-dark", this.theme.dark);
    this.link.renewed();
    this.load(this.data.spec);
    const wanted = this.data.run ?? null;
    if (wanted !== this.pageRun) {
      // a rerun that was on its way while this page moved to a copy still names the old run: that is no change
      this.pageRun = wanted;
      // nor is what a page says that has yet to hear of the last text
      if (this.box.heard(this.data.box) && wanted !== (this.run?.id ?? null)) this.show(wanted);
    }
    this.asks.page(this.data.asks);
    this.box.update(this.data.box);
    this.changed();
  }

  /** Where this module's own files lie: beside it, under whatever path the server is mounted at. */
  url(path) {
    const own = new URL(import.meta.url, location.href);
    const base =
      /^https?:$/.test(own.protocol) && own.pathname.includes("/live/")
        ? new URL(own.pathname.slice(0, own.pathname.indexOf("/live/") + 6), own)
        : new URL("/live/", location.href);
    return new URL(path, base).href;
  }

  resolve(path) {
    return path?.startsWith("/live/") ? this.url(path.slice(6)) : path && new URL(path, location.href).href;
  }

  style(path) {
    if (!path) return;
    const href = this.resolve(path);
    if ([...document.querySelectorAll("link[rel=stylesheet]")].some((one) => one.href === href)) return;
    const link = make("link", "", { rel: "stylesheet", href });
    this.root.style.visibility = "hidden"; // nothing is shown unstyled
    link.onload = link.onerror = () => {
      this.root.style.visibility = "";
      this.retheme();
      this.schedule();
    };
    document.head.append(link);
  }

  async load(path) {
    if (!path || path === this.specPath) return;
    this.specPath = path;
    try {
      const answer = await fetch(this.resolve(path));
      if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
      const spec = await answer.json();
      if (path === this.specPath) this.respec(spec);
    } catch (error) {
      if (path !== this.specPath) return;
      console.error("spec:", error);
      this.specPath = null; // asked for again at the next rerun, or in a moment
      setTimeout(() => !this.gone && this.load(this.data.spec), 2000);
    }
  }

  /** Figures of equal id and kind are changed in place, new ones added, old ones removed. */
  respec(spec) {
    const language = this.spec.language;
    this.spec = { names: {}, ui: {}, figures: [], ...spec };
    this.link.expired();
    attribute(this.root, "lang", this.spec.language === "zh" ? "zh-CN" : this.spec.language || "en");
    const ids = new Set(this.spec.figures.map((one) => one.id));
    for (const [id, figure] of [...this.figures]) {
      const now = this.spec.figures.find((one) => one.id === id);
      if (!ids.has(id) || now.kind !== figure.spec.kind) this.remove(id);
    }
    this.spec.figures.forEach((one, index) => {
      let figure = this.figures.get(one.id);
      try {
        if (!figure) {
          figure = new KINDS[one.kind](this, one);
          this.figures.set(one.id, figure);
          this.sight.observe(figure.element);
          this.reach.observe(figure.element);
          this.sizes.observe(figure.body);
        } else if (figure.text !== JSON.stringify(one) || language !== this.spec.language) {
          figure.respec(one);
        }
      } catch (error) {
        console.error(`figure ${one.id}:`, error);
        return;
      }
      if (this.grid.children[index] !== figure.element)
        this.grid.insertBefore(figure.element, this.grid.children[index] || null);
    });
    this.arrange();
    this.root.removeAttribute("data-waiting");
    this.dock.words();
    this.box.render();
    if (this.run) this.describe(this.run);
    this.changed();
  }

  remove(id) {
    const figure = this.figures.get(id);
    this.sight.unobserve(figure.element);
    this.reach.unobserve(figure.element);
    this.sizes.unobserve(figure.body);
    figure.remove();
    this.figures.delete(id);
  }

  /** The hero takes three fifths; beside it stand as many of the next smaller figures as its height holds. */
  arrange() {
    const figures = this.spec.figures.map((one) => this.figures.get(one.id)).filter(Boolean);
    const hero = figures.findIndex((figure) => figure.spec.size === "hero");
    const beside = [];
    if (hero >= 0) {
      const room = figures[hero].spec.height + 60;
      let used = 0;
      for (const figure of figures.slice(hero + 1)) {
        const tall = figure.spec.height + 60;
        if (!["half", "third"].includes(figure.spec.size) || (beside.length && used + tall > room + 40)) break;
        used += tall;
        beside.push(figure);
        if (used >= room - 60) break;
      }
    }
    for (const figure of figures) {
      figure.element.dataset.place =
        figure === figures[hero]
          ? beside.length
            ? "hero"
            : "full"
          : beside.includes(figure)
            ? "beside"
            : figure.spec.size;
      figure.element.style.gridRow = "";
      figure.body.style.height = `${figure.spec.height}px`;
    }
    if (beside.length) {
      const tall = figures[hero].spec.height;
      figures[hero].element.style.setProperty("--rows", beside.length);
      const room = tall - 64 * (beside.length - 1);
      const asked = beside.reduce((sum, figure) => sum + figure.spec.height, 0);
      const shares = beside.map((figure) => Math.floor((room * figure.spec.height) / asked));
      if (Math.min(...shares) > 120)
        beside.forEach((figure, index) => (figure.body.style.height = `${shares[index]}px`));
    }
  }

  say(key, values = {}) {
    const text = this.spec.ui?.[key] ?? "";
    return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  }

  both(words) {
    return words ? words[this.spec.language === "zh" ? "zh" : "en"] || words.en : "";
  }

  // runs

  /** The page is about to show another run; the server has made this board its viewer already. */
  next({ from, run: id }) {
    if (from === id) return; // the run that is on the board already
    if (this.run?.id === from) this.show(id, false, true);
    else if (!this.runs.has(id)) this.link.send({ op: "leave", run: id });
  }

  /** Leaves the run on the board and watches another. */
  show(id, keepPlace = false, watched = false) {
    for (const run of this.runs.values()) this.link.leave(run);
    this.runs.clear();
    this.run = id === null ? null : new Run(id);
    this.dock.clear();
    this.asks.left();
    if (!keepPlace) {
      const { speed } = this.playhead;
      this.playhead = new Playhead();
      this.playhead.speed = speed;
    }
    if (this.run) {
      this.runs.set(id, this.run);
      if (!watched) this.link.watch(this.run);
    }
    // what is on screen stays until the new run has something to show
    this.holding = this.run !== null;
    this.begun = false;
    this.changed();
  }

  /** The run that this one is a fork of, drawn beside it from that step on; null where there is none. */
  get origin() {
    const [id, step] = this.run?.origin || [];
    const run = this.runs.get(id);
    return run && run !== this.run && run.history.rows.n ? { run, step } : null;
  }

  pastOf(id) {
    let run = this.runs.get(id);
    if (!run) {
      run = new Run(id);
      this.runs.set(id, run);
      this.link.watch(run);
    }
    return run.history.at(Infinity);
  }

  heed(header, arrays, bytes) {
    const run = this.runs.get(header.run);
    if (header.type === "refused") this.refused(header);
    else if (header.type === "moved") this.movedTo(header);
    else if (header.type === "next") (this.box.begun(header), this.next(header));
    else if (header.type === "answer") this.answered(header, arrays);
    else if (run) {
      if (header.type === "run") {
        run.heard = true;
        if (header.status !== run.status) run.since = performance.now();
        for (const key of [
          "status",
          "total",
          "rate",
          "place",
          "viewers",
          "snapshots",
          "error",
          "note",
          "device",
          "params",
          "origin",
        ]) {
          if (header[key] !== undefined) run[key] = header[key];
        }
        if (header.frames) run.listed = header.frames;
        if (run === this.run) {
          this.describe(run);
          if (run.head >= 0) this.begin(run);
          const [origin] = run.origin || [];
          if (origin && !this.runs.has(origin)) {
            this.runs.set(origin, new Run(origin, true));
            this.link.watch(this.runs.get(origin));
          }
        }
      } else if (header.type === "scalars") {
        run.history.add(
          header.groups.map(({ names }, i) => ({
            names,
            steps: arrays[`steps${i}`].values,
            values: arrays[`values${i}`].values,
          })),
        );
        if (run === this.run) this.begin(run);
        if (run === this.shownRun && this.pictured && !run.ended) {
          this.moved = true; // mostly the picture comes right behind: both are drawn at once
          return this.later(BEHIND);
        }
      } else if (header.type === "frame") {
        run.keep(header.step, resolved(header.patches, arrays), bytes);
        this.pictured = true;
        if (run === this.run && this.begun) this.holding = false;
      } else if (header.type === "rewind") {
        run.rewind(header.step);
        if (run === this.run) this.dock.notice("note", this.both(header.note));
      }
    }
    return this.changed();
  }

  /** What a run says about itself in words. */
  describe(run) {
    if ((run.status === "queued" && run.place) || run.ended) this.holding = false;
    if (run.error) this.dock.notice("error", this.both(run.error), "error");
    else this.dock.dismiss("error");
    if (run.note) this.dock.notice("note", this.both(run.note));
    else this.dock.dismiss("note");
  }

  /** The first scalars of a run are here: shown from its start where that is worth it, else from where it stands. */
  begin(run) {
    if (this.begun || !run.total) return; // how long it will take is not known before its length is
    this.begun = true;
    this.release = performance.now() + (this.pictured && !run.ended && !run.frames.size ? PICTURE : 0);
    if (!this.data.autoplay || still() || replayed.has(run.id)) return;
    replayed.add(run.id);
    if (run.origin) this.playhead.play(Math.max(run.history.first, run.origin[1]));
    else if (run.ended) this.playhead.play(run.history.first);
    else if (run.total / (run.rate || run.params?.pace || Infinity) < 4) this.playhead.pace(performance.now());
  }

  movedTo({ from, run: id }) {
    if (this.run?.id !== from) return;
    this.begun = false;
    replayed.add(id);
    // the server watches the copy already: only the old run's name has to be forgotten here
    this.runs.delete(from);
    this.run = new Run(id);
    this.runs.set(id, this.run);
    this.asks.left();
    this.holding = true;
    this.dock.notice("moved", this.say("moved"));
    this.setStateValue?.("run", id);
  }

  refused({ id, error }) {
    if (this.box.refused(id, this.both(error))) return;
    const key = id === null || id === undefined ? "" : this.asks.landed(id);
    if (key === null) return; // it was about another run, or nobody asks it any more
    const words = this.both(error);
    this.dock.notice(`refused ${key}`, this.say("refused", { error: words }) || words, "error");
  }

  answered({ id, run, patches }, arrays) {
    const key = this.asks.landed(id);
    if (key === null || run !== this.run?.id) return;
    this.dock.dismiss(`refused ${key}`);
    const found = resolved(patches, arrays);
    for (const figure of this.figures.values()) {
      const mine = found.filter((patch) => patch.figure === figure.spec.id);
      if (mine.length || figure.answers.has(key)) figure.answer(key, mine);
    }
  }

  choose(fields) {
    this.choices = Math.max(this.choices + 1, Date.now());
    this.setStateValue?.("choose", { ...fields, n: this.choices });
  }

  /** A new run from the last marked step, with the page's settings: the page makes it. */
  fork() {
    const step = this.run ? this.run.mark(this.playhead.step) : -1;
    if (step < 0) return;
    this.choices = Math.max(this.choices + 1, Date.now());
    this.setStateValue?.("fork", { run: this.run.id, step, n: this.choices });
  }

  /** To the marked step before or after. */
  toMark(direction) {
    const { run, playhead } = this;
    const marks =
      direction < 0
        ? run.snapshots.filter((one) => one < playhead.step).slice(-1)
        : run.snapshots.filter((one) => one > playhead.step);
    if (marks.length) playhead.go(marks[0], run);
  }

  tell(command) {
    if (this.run) this.link.send({ op: "tell", run: this.run.id, command, changes: {}, at: this.playhead.step });
  }

  // what the viewer does

  toggle() {
    const { run, playhead } = this;
    if (!run || run.head < 0) return;
    if (playhead.playing || playhead.pacing) playhead.stay();
    else if (playhead.follow || playhead.step >= run.head) {
      if (run.status === "running") this.tell("pause");
      else if (run.status === "paused") {
        playhead.live();
        this.tell("resume");
      } else if (run.ended && run.head > run.history.first) playhead.play(run.history.first);
    } else playhead.play(playhead.step);
    this.changed();
  }

  stepBy(direction) {
    const { run, playhead } = this;
    if (!run || run.head < 0) return;
    if (direction > 0 && playhead.step >= run.head) {
      if (run.status === "paused") {
        playhead.live();
        this.tell("step");
      }
    } else playhead.go(run.history.beside(playhead.step, direction), run);
    this.changed();
  }

  scrubbed(step) {
    if (!this.run || this.run.head < 0) return;
    const n = this.run.history.rows.upTo(step);
    this.playhead.go(n ? this.run.history.rows.steps[n - 1] : this.run.history.first, this.run);
    this.changed();
  }

  key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    // the player's own buttons know only the space bar
    const mine =
      (event.key !== " " && event.target.closest?.(".tr-controls, .tr-state")) ||
      ("[]f".includes(event.key) && event.target === this.dock.scrub);
    const busy =
      "input, textarea, select, button, summary, [contenteditable=''], [contenteditable=true], [role=slider], [role=tab], [role=radio], [role=option], [role=menuitem], [role=dialog], [role=application]";
    if ((!mine && event.target.closest?.(busy)) || !this.root.isConnected || !this.run || this.run.head < 0) return;
    const { run, playhead } = this;
    if (event.key === " ") this.toggle();
    else if (event.key === "ArrowLeft") this.stepBy(-1);
    else if (event.key === "ArrowRight") this.stepBy(1);
    else if (event.key === "Home") playhead.go(run.history.first, run);
    else if (event.key === "End") playhead.live();
    else if (event.key === "[" || event.key === "]") this.toMark(event.key === "[" ? -1 : 1);
    else if (event.key === "f") this.fork();
    else return;
    event.preventDefault();
    this.changed();
  }

  // drawing

  changed() {
    this.moved = true;
    this.schedule();
  }

  /** Asks for one pass in the next animation frame, however often it is called. */
  schedule() {
    if (!this.raf && !this.gone) this.raf = requestAnimationFrame(this.tick);
  }

  /** Makes sure that there is a pass within `ms`. */
  later(ms) {
    const at = performance.now() + Math.max(1, ms);
    if (ms === Infinity || (this.timer && this.timerAt <= at)) return;
    clearTimeout(this.timer);
    this.timerAt = at;
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.schedule();
    }, at - performance.now());
  }

  /** One animation frame: moves the playhead, finds what that changes, draws what is in view, as long as there is time. */
  step(now) {
    this.raf = 0;
    now = performance.now();
    const { run, playhead } = this;
    if (this.holding && this.begun) {
      if (now >= this.release) this.holding = false;
      else this.later(this.release - now);
    }
    if (run && !this.holding) {
      const before = playhead.step;
      if (playhead.advance(now, run)) this.schedule();
      if (playhead.step !== before) this.moved = true;
    }
    if (this.moved && !this.holding) {
      this.moved = false;
      this.readAgain = true;
      const past = (run ? run.history : new History()).at(playhead.step);
      const patches = this.patches(run, playhead.step);
      for (const figure of this.figures.values()) figure.show(past, patches);
    }
    const rest = this.draw(now);
    if (rest > 0) this.later(rest);
    else this.schedule(); // in the very next frame: a timer would miss it
    this.box.drawn();
    if (this.readAgain) {
      const wait = 200 - (now - this.readAt);
      if (wait > 0) this.later(wait);
      else {
        this.readAgain = false;
        this.readAt = now;
        for (const figure of this.figures.values()) figure.read();
      }
    }
    if (this.shownRun === run) this.later(this.asks.send(now));
    else if (!this.holding) {
      this.shownRun = run; // questions about a run follow its first picture
      this.schedule();
    }
    this.dock.render(now);
  }

  /** The patches of the last frame at or before `step`. While one is fetched, what is on screen stays. */
  patches(run, step) {
    const wanted = run ? run.frameStep(step) : -1;
    if (wanted < 0) {
      this.frame = null;
      return [];
    }
    let found = run.frame(wanted);
    if (!found && this.playhead.follow && (!run.ended || performance.now() - run.since < 500)) {
      found = run.frame(run.cachedStep(step)); // the newest frame is on its way
      this.waiting ||= setTimeout(() => {
        this.waiting = 0;
        this.changed();
      }, 500);
    } else if (!found) this.fetcher.want(run, wanted);
    if (found) this.frame = { run, ...found };
    if (found && this.playhead.playing && !this.fetcher.busy) {
      const next = run.listed.find((one) => one > wanted && !run.frames.has(one));
      if (next !== undefined) this.fetcher.want(run, next);
    }
    return this.frame?.run === run ? this.frame.patches : [];
  }

  draw(now) {
    let wait = Infinity;
    const dirty = [...this.figures.values()].filter(
      (figure) =>
        figure.dirty && (figure.visible || (figure.near && !figure.drawn)) && (!this.holding || !figure.drawn),
    );
    // the one that waits longest; at first a scene in three dimensions last, for it takes longest
    dirty.sort((a, b) => a.drawnAt - b.drawnAt || Number(!!a.solid) - Number(!!b.solid));
    for (const figure of dirty) {
      const due = figure.due(now);
      if (due > 0) wait = Math.min(wait, due);
      else if (performance.now() - now > DRAWING) wait = 0;
      else figure.render(now);
    }
    return wait;
  }

  destroy() {
    this.gone = true;
    cancelAnimationFrame(this.raf);
    clearTimeout(this.timer);
    clearTimeout(this.waiting);
    document.removeEventListener("keydown", this.keys);
    this.themes.disconnect();
    this.sight.disconnect();
    this.reach.disconnect();
    this.sizes.disconnect();
    this.link.close();
    for (const id of [...this.figures.keys()]) this.remove(id);
    this.root.remove();
    window.torchroom.boards.splice(0, Infinity, ...window.torchroom.boards.filter((one) => one !== this));
  }

  /** What tests look at. */
  get counters() {
    return {
      connections: this.link.connections,
      messages: this.link.messages,
      fetched: this.fetcher.count,
      drawn: Object.fromEntries([...this.figures].map(([id, figure]) => [id, figure.drawn])),
    };
  }

  get head() {
    return this.run ? this.run.head : -1;
  }
}
