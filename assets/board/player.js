/**
 * The player at the foot of the board: buttons, scrubber, and the run's state in words.
 *
 * @import { Connection } from "./connection.js"
 * @import { Playhead } from "./playhead.js"
 * @import { Run } from "./run.js"
 * @import { Transport } from "./transport.js"
 */

import { liveUrl } from "./addresses.js";
import { el, setAttr, setText, svg } from "./dom.js";
import { number } from "./numbers.js";

const SPEEDS = [0.25, 0.5, 1, 2, 4, 8];
const LONG = 2; // seconds; a run that takes longer says how long it will
const LOST = 500; // ms after which a lost connection is said
const ICONS = {
  back: "M6 5h2.2v14H6zM19 5v14l-9.5-7z",
  play: "M7 4.5v15l12-7.5z",
  pause: "M6 5h4v14H6zM14 5h4v14h-4z",
  forward: "M15.8 5H18v14h-2.2zM5 5v14l9.5-7z",
  stop: "M6 6h12v12H6z",
  fork: "M5 3h2.6v4.6L12 12l4.4-4.4V3H19v5.7l-5.7 5.7V21h-2.6v-6.6L5 8.7z",
  save: "M10.9 3.5h2.2v8.7l3.2-3.2 1.6 1.6-5.9 5.9-5.9-5.9L7.7 9l3.2 3.2zM5 18.5h14v2.2H5z",
};

/** @param {keyof typeof ICONS} name */
function icon(name) {
  const picture = svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" });
  picture.append(svg("path", { d: ICONS[name] }));
  return picture;
}

/**
 * @param {keyof typeof ICONS} name
 * @param {() => void} action
 */
function button(name, action) {
  const element = el("button", `tr-button tr-${name}`, { type: "button" }, icon(name));
  element.onclick = action;
  return element;
}

/**
 * What the player shows.
 *
 * @typedef {object} PlayerState
 * @property {Run | null} run
 * @property {Playhead} playhead
 * @property {Connection} connection
 * @property {string} status the page's words about the run
 * @property {string} language
 */

export class Player {
  /**
   * @param {Transport} transport
   * @param {(key: string, values?: Record<string, unknown>) => string} say
   */
  constructor(transport, say) {
    this.say = say;
    this.back = button("back", () => transport.stepBy(-1));
    this.play = button("play", () => transport.toggle());
    this.forward = button("forward", () => transport.stepBy(1));
    this.stop = button("stop", () => transport.command("stop"));
    this.fork = button("fork", () => transport.fork());
    this.save = el("a", "tr-button tr-save", { download: "" }, icon("save"));
    this.scrubber = el("input", "tr-scrub", { type: "range", min: "0", max: "1", step: "1", value: "0" });
    this.scrubber.oninput = () => transport.scrub(Number(this.scrubber.value));
    this.tickPath = svg("path", { "vector-effect": "non-scaling-stroke" });
    this.ticks = "";
    this.count = el("output", "tr-count", { "aria-live": "off" });
    this.speed = el("select", "tr-speed");
    for (const speed of SPEEDS) this.speed.append(el("option", "", { value: speed }, `${speed}×`));
    this.speed.value = "1";
    this.speed.onchange = () => transport.setSpeed(Number(this.speed.value));
    this.live = el("button", "tr-live", { type: "button" });
    this.live.onclick = () => transport.goLive();
    this.chip = el("span", "tr-chip");
    this.progress = el("span", "tr-progress");
    this.watching = el("span", "tr-watching");
    this.status = el("span", "tr-status");
    const ticks = svg("svg", {
      class: "tr-ticks",
      "aria-hidden": "true",
      preserveAspectRatio: "none",
      viewBox: "0 0 1000 10",
    });
    ticks.append(this.tickPath);
    this.track = el("div", "tr-track", {}, this.scrubber, ticks);
    const state = [this.chip, this.live, this.progress, this.watching, this.status, this.save];
    this.element = el(
      "div",
      "tr-player",
      { role: "group" },
      el("div", "tr-controls", {}, this.back, this.play, this.forward, this.stop, this.fork),
      this.track,
      el("div", "tr-where", {}, this.count, this.speed),
      el("div", "tr-state", {}, ...state),
    );
  }

  /** Writes the words of the language in force. */
  translate() {
    const { say } = this;
    label(this.back, say("step_back"));
    label(this.forward, say("step_forward"));
    label(this.stop, say("stop"));
    label(this.live, say("to_live"));
    label(this.save, say("save"));
    setAttr(this.element, "aria-label", say("keys"));
    setAttr(this.scrubber, "aria-label", say("scrubber"));
    setAttr(this.scrubber, "title", say("keys"));
    label(this.speed, say("speed"));
    setText(this.live, say("live"));
  }

  /**
   * Shows the state as it is.
   *
   * @param {PlayerState} state
   * @param {number} now in ms
   */
  render(state, now) {
    const { run, playhead } = state;
    const head = run ? run.head : -1;
    const atHead = playhead.follow || playhead.step >= head;
    this.renderButtons(run, playhead, atHead);
    this.renderTrack(state, head);
    this.live.hidden = !run || run.ended || atHead || head < 0;
    this.renderState(state, head, now);
  }

  /**
   * @param {Run | null} run
   * @param {Playhead} playhead
   * @param {boolean} atHead
   */
  renderButtons(run, playhead, atHead) {
    const { say } = this;
    const ready = run !== null && run.head >= 0;
    const running = run?.status === "running";
    const going = playhead.playing || playhead.pacing || (playhead.follow && running);
    let key = "play"; // what the middle button would do
    if (going) key = playhead.follow && running && !playhead.pacing ? "halt" : "pause";
    else if (atHead && run?.status === "paused") key = "resume";
    label(this.play, say(key));
    setAttr(/** @type {Element} */ (this.play.querySelector("path")), "d", going ? ICONS.pause : ICONS.play);
    this.play.disabled = !ready;
    this.back.disabled = !ready || playhead.step <= run.history.first;
    this.forward.disabled = !ready || (atHead && run.status !== "paused");
    this.stop.disabled = !run || run.ended || !run.status;
    const checkpoint = ready ? run.checkpoint(playhead.step) : -1;
    label(this.fork, checkpoint < 0 ? say("no_fork") : say("fork", { at: checkpoint }));
    this.fork.disabled = checkpoint < 0;
    this.save.hidden = !ready;
    if (ready) setAttr(this.save, "href", liveUrl(`record/${encodeURIComponent(run.id)}`));
  }

  /**
   * @param {PlayerState} state
   * @param {number} head
   */
  renderTrack({ run, playhead, language }, head) {
    const { say } = this;
    const ready = head >= 0;
    const total = run ? Math.max(run.total, head, 1) : 1;
    this.scrubber.disabled = !ready;
    setAttr(this.scrubber, "max", total);
    const step = Math.max(0, playhead.step);
    if (this.scrubber.value !== String(step)) this.scrubber.value = String(step);
    setAttr(this.scrubber, "aria-valuetext", `${say("step")} ${step} ${say("of")} ${total}`);
    this.track.style.setProperty("--head", `${(100 * Math.max(0, head)) / total}%`);
    this.track.style.setProperty("--at", `${(100 * step) / total}%`);
    const count = `${step} / ${total}`;
    setText(this.count, !ready ? "" : language === "zh" ? `${count} ${say("step")}` : `${say("step")} ${count}`);
    const ticks = run ? run.checkpoints.map((at) => `M${((1000 * at) / total).toFixed(1)} 0V10`).join("") : "";
    if (ticks !== this.ticks) setAttr(this.tickPath, "d", (this.ticks = ticks) || "M0 0");
  }

  /**
   * The line of words: the run's state, how far it is, who else watches, and what the page says.
   *
   * @param {PlayerState} state
   * @param {number} head
   * @param {number} now
   */
  renderState({ run, connection, status }, head, now) {
    const { say } = this;
    /** @type {string} */
    let state = run ? run.status || "starting" : "";
    if (connection.lostAt && now - connection.lostAt > LOST) state = "reconnecting";
    if (run && !run.known && state !== "reconnecting") state = "loading";
    setAttr(this.chip, "data-state", state);
    setText(this.chip, state ? say(state, { place: run?.place ?? "" }) : "");
    setText(this.progress, this.progressText(run, head));
    setText(this.watching, run && !run.ended && run.viewers > 1 ? say("viewers", { n: run.viewers }) : "");
    setText(this.status, status);
  }

  /**
   * Rate and time left.
   *
   * @param {Run | null} run
   * @param {number} head
   */
  progressText(run, head) {
    const { say } = this;
    if (!run || run.status !== "running" || !run.rate || !(run.total / run.rate > LONG)) return "";
    const seconds = Math.max(0, (run.total - head) / run.rate);
    const time =
      seconds < 90 ? say("seconds", { n: Math.ceil(seconds) }) : say("minutes", { n: Math.round(seconds / 60) });
    return [
      `${Math.floor((100 * Math.max(0, head)) / run.total)} %`,
      say("rate", { rate: number(run.rate, run.rate < 10 ? "2" : "3") }),
      say("left", { time }),
    ].join(" · ");
  }
}

/**
 * Names an element for those who hover over it and for those who do not see it.
 *
 * @param {Element} element
 * @param {string} text
 */
function label(element, text) {
  setAttr(element, "aria-label", text);
  setAttr(element, "title", text);
}
