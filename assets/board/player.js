/** Notices and the player under the figures. */

import { attribute, make, svg, write } from "./dom.js";
import { number } from "./numbers.js";

const SPEEDS = [0.25, 0.5, 1, 2, 4, 8];

const ICONS = {
  back: "M6 5h2.2v14H6zM19 5v14l-9.5-7z",
  play: "M7 4.5v15l12-7.5z",
  pause: "M6 5h4v14H6zM14 5h4v14h-4z",
  forward: "M15.8 5H18v14h-2.2zM5 5v14l9.5-7z",
  stop: "M6 6h12v12H6z",
  fork: "M5 3h2.6v4.6L12 12l4.4-4.4V3H19v5.7l-5.7 5.7V21h-2.6v-6.6L5 8.7z",
  save: "M10.9 3.5h2.2v8.7l3.2-3.2 1.6 1.6-5.9 5.9-5.9-5.9L7.7 9l3.2 3.2zM5 18.5h14v2.2H5z",
};

/** What sticks to the foot of the board: notices and the player. */
export class Dock {
  constructor(board) {
    this.board = board;
    this.element = make("div", "tr-dock");
    this.notices = make("div", "tr-notices", { role: "status", "aria-live": "polite" });
    this.player = make("div", "tr-player", { role: "group" });
    this.shown = new Map(); // notice's key -> element
    this.closed = new Set();
    const button = (name, action) => {
      const path = svg("path", { d: ICONS[name] });
      const picture = svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" });
      picture.append(path);
      const element = make("button", `tr-button tr-${name}`, { type: "button" }, picture);
      element.onclick = action;
      return element;
    };
    this.back = button("back", () => board.stepBy(-1));
    this.play = button("play", () => board.toggle());
    this.forward = button("forward", () => board.stepBy(1));
    this.stop = button("stop", () => board.tell("stop"));
    this.fork = button("fork", () => board.fork());
    this.save = make("a", "tr-button tr-save", { download: "" }, button("save").firstChild);
    this.scrub = make("input", "tr-scrub", { type: "range", min: "0", max: "1", step: "1", value: "0" });
    this.scrub.oninput = () => board.scrubbed(Number(this.scrub.value));
    this.ticks = svg("svg", {
      class: "tr-ticks",
      "aria-hidden": "true",
      preserveAspectRatio: "none",
      viewBox: "0 0 1000 10",
    });
    this.tickPath = svg("path", { "vector-effect": "non-scaling-stroke" });
    this.ticks.append(this.tickPath);
    this.track = make("div", "tr-track", {}, this.scrub, this.ticks);
    this.count = make("output", "tr-count", { "aria-live": "off" });
    this.speed = make("select", "tr-speed");
    for (const speed of SPEEDS) this.speed.append(make("option", "", { value: speed }, `${speed}×`));
    this.speed.value = "1";
    this.speed.onchange = () => {
      board.playhead.speed = Number(this.speed.value);
      board.schedule();
    };
    this.chip = make("span", "tr-chip");
    this.progress = make("span", "tr-progress");
    this.watching = make("span", "tr-watching");
    this.status = make("span", "tr-status");
    this.live = make("button", "tr-live", { type: "button" });
    this.live.onclick = () => {
      board.playhead.live();
      board.changed();
    };
    this.player.append(
      make("div", "tr-controls", {}, this.back, this.play, this.forward, this.stop, this.fork),
      this.track,
      make("div", "tr-where", {}, this.count, this.speed),
      make("div", "tr-state", {}, this.chip, this.live, this.progress, this.watching, this.status, this.save),
    );
    this.element.append(this.notices, this.player);
    this.marks = "";
  }

  /** The words of the language in force. */
  words() {
    const say = (key) => this.board.say(key);
    for (const [element, key] of [
      [this.back, "step_back"],
      [this.forward, "step_forward"],
      [this.stop, "stop"],
      [this.live, "to_live"],
      [this.save, "save"],
    ]) {
      attribute(element, "aria-label", say(key));
      attribute(element, "title", say(key));
    }
    attribute(this.player, "aria-label", say("keys"));
    attribute(this.scrub, "aria-label", say("scrubber"));
    attribute(this.scrub, "title", say("keys"));
    attribute(this.speed, "aria-label", say("speed"));
    attribute(this.speed, "title", say("speed"));
    write(this.live, say("live"));
  }

  /** The player as things stand. */
  render(now) {
    const { board } = this;
    const { run, playhead, link } = board;
    const head = run ? run.head : -1;
    const ready = head >= 0;
    const total = run ? Math.max(run.total, head, 1) : 1;
    const running = run?.status === "running";
    const going = playhead.playing || playhead.pacing || (playhead.follow && running);
    const atHead = playhead.follow || playhead.step >= head;
    // what the middle button would do
    const key = going
      ? playhead.follow && running && !playhead.pacing
        ? "halt"
        : "pause"
      : atHead && run?.status === "paused"
        ? "resume"
        : "play";
    attribute(this.play, "aria-label", board.say(key));
    attribute(this.play, "title", board.say(key));
    attribute(this.play.firstChild.firstChild, "d", going ? ICONS.pause : ICONS.play);
    this.play.disabled = !ready;
    this.back.disabled = !ready || playhead.step <= run.history.first;
    this.forward.disabled = !ready || (atHead && run.status !== "paused");
    this.stop.disabled = !run || run.ended || !run.status;
    const mark = ready ? run.mark(playhead.step) : -1;
    const fork = mark < 0 ? board.say("no_fork") : board.say("fork", { at: mark });
    attribute(this.fork, "aria-label", fork);
    attribute(this.fork, "title", fork);
    this.fork.disabled = mark < 0;
    this.save.hidden = !ready;
    if (ready) attribute(this.save, "href", board.url(`record/${encodeURIComponent(run.id)}`));
    this.scrub.disabled = !ready;
    attribute(this.scrub, "max", total);
    const step = Math.max(0, playhead.step);
    if (this.scrub.value !== String(step)) this.scrub.value = String(step);
    attribute(this.scrub, "aria-valuetext", `${board.say("step")} ${step} ${board.say("of")} ${total}`);
    this.track.style.setProperty("--head", `${(100 * Math.max(0, head)) / total}%`);
    this.track.style.setProperty("--at", `${(100 * step) / total}%`);
    const counted = `${step} / ${total}`;
    write(
      this.count,
      !ready
        ? ""
        : board.spec.language === "zh"
          ? `${counted} ${board.say("step")}`
          : `${board.say("step")} ${counted}`,
    );
    this.mark(run, total);
    // the line below
    let state = run ? run.status || "starting" : "";
    if (link.lost && now - link.lost > 500) state = "reconnecting";
    if (run && !run.heard && state !== "reconnecting") state = "loading";
    attribute(this.chip, "data-state", state);
    write(this.chip, state ? board.say(state, { place: run?.place ?? "" }) : "");
    this.live.hidden = !run || run.ended || atHead || !ready;
    write(this.progress, this.pace(run, head));
    const viewers = run && !run.ended && run.viewers > 1 ? board.say("viewers", { n: run.viewers }) : "";
    write(this.watching, viewers);
    write(this.status, board.data.status || "");
  }

  /** Rate and time left, where a run takes more than two seconds. */
  pace(run, head) {
    const { board } = this;
    if (!run || run.status !== "running" || !run.rate || !(run.total / run.rate > 2)) return "";
    const seconds = Math.max(0, (run.total - head) / run.rate);
    const time =
      seconds < 90
        ? board.say("seconds", { n: Math.ceil(seconds) })
        : board.say("minutes", { n: Math.round(seconds / 60) });
    return [
      `${Math.floor((100 * Math.max(0, head)) / run.total)} %`,
      board.say("rate", { rate: number(run.rate, run.rate < 10 ? "2" : "3") }),
      board.say("left", { time }),
    ].join(" · ");
  }

  /** Ticks at the steps that have a snapshot. */
  mark(run, total) {
    const marks = run ? run.snapshots.map((step) => `M${((1000 * step) / total).toFixed(1)} 0V10`).join("") : "";
    if (marks !== this.marks) attribute(this.tickPath, "d", (this.marks = marks) || "M0 0");
  }

  /** A sentence that stays until it is dismissed; the same key is the same notice. */
  notice(key, text, kind = "note") {
    if (!text || this.closed.has(`${key} ${text}`)) return;
    let element = this.shown.get(key);
    if (!element) {
      const close = make("button", "tr-close", { type: "button", "aria-label": this.board.say("dismiss") || "×" }, "×");
      element = make("div", "tr-notice", {}, make("span"), close);
      close.onclick = () => {
        this.closed.add(`${key} ${element.firstChild.textContent}`);
        this.dismiss(key);
      };
      this.shown.set(key, element);
      while (this.shown.size > 3) this.dismiss(this.shown.keys().next().value);
      this.notices.append(element);
    }
    element.dataset.kind = kind;
    write(element.firstChild, text);
  }

  dismiss(key) {
    this.shown.get(key)?.remove();
    this.shown.delete(key);
  }

  /** Another run: what was said about the old one goes. */
  clear() {
    for (const key of [...this.shown.keys()]) if (key !== "expired" && key !== "moved") this.dismiss(key);
    this.closed.clear();
  }
}
