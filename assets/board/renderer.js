/**
 * One pass of the board: moves the playhead, finds what that changes, draws what is in view, as long as there is time.
 *
 * @import { Board } from "./board.js"
 * @import { Frame, Run } from "./run.js"
 * @import { Patch } from "./schema.d.ts"
 */

import { prefersStill } from "./dom.js";
import { History } from "./history.js";
import { drawInTime } from "./scheduler.js";

const PICTURE_WAIT = 100; // ms that a new run's first numbers wait for the picture that belongs to them
const NEWEST_WAIT = 500; // ms that the newest frame may be on its way before it is fetched
const READING_INTERVAL = 200; // ms between two readings
const SHORT_RUN = 4; // seconds; a shorter run is paced

/** Runs that were shown from the start once. */
const replayed = new Set();

export class Renderer {
  /** @param {Board} board */
  constructor(board) {
    this.board = board;
    /** @type {(Frame & { run: Run }) | null} The frame on screen. */
    this.frame = null;
    /** @type {Run | null} The run on screen; questions about a run follow its first picture. */
    this.shownRun = null;
    /** Whether there is another moment to show. */
    this.moved = true;
    /** Whether the readings are to be written again. */
    this.readingsDue = true;
    this.readAt = -1e9;
    /** Whether this lesson has pictures, not only numbers. */
    this.hasPictures = false;
    /** Whether what is on screen stays until the new run has something to show. */
    this.holding = false;
    /** Whether the first scalars of the run are here. */
    this.begun = false;
    /** When a run that has begun is shown even without its picture, in ms. */
    this.releaseAt = 0;
    /** @type {ReturnType<typeof setTimeout> | 0} */
    this.newestTimer = 0;
  }

  /** Another run is on the board. */
  changeRun() {
    this.holding = this.board.run !== null;
    this.begun = false;
  }

  /**
   * A copy of the run is about to be on the board; it is not shown from its start.
   *
   * @param {string} id
   */
  continueWith(id) {
    this.begun = false;
    replayed.add(id);
    this.holding = true;
  }

  /**
   * The first scalars of a run are here: shown from its start where that is worth it, else from where it stands.
   *
   * @param {Run} run
   */
  begin(run) {
    if (this.begun || !run.total) return; // how long it will take is not known before its length is
    const { playhead, data } = this.board;
    this.begun = true;
    const waits = this.hasPictures && !run.ended && !run.frames.size;
    this.releaseAt = performance.now() + (waits ? PICTURE_WAIT : 0);
    if (!data.autoplay || prefersStill() || replayed.has(run.id)) return;
    replayed.add(run.id);
    if (run.origin) playhead.play(Math.max(run.history.first, run.origin[1]));
    else if (run.ended) playhead.play(run.history.first);
    else if (run.total / (run.rate || run.params?.pace || Infinity) < SHORT_RUN) playhead.pace(performance.now());
  }

  /**
   * A frame of a run has come.
   *
   * @param {Run} run
   */
  pictureCame(run) {
    this.hasPictures = true;
    if (run === this.board.run && this.begun) this.holding = false;
  }

  /**
   * Whether the picture that belongs to the numbers of a run that have just come is likely to follow.
   *
   * @param {Run} run
   */
  awaitsPicture(run) {
    return run === this.shownRun && this.hasPictures && !run.ended;
  }

  /** @param {number} now in ms */
  pass(now) {
    const { board } = this;
    const { run, scheduler } = board;
    this.movePlayhead(now);
    if (this.moved && !this.holding) this.showMoment();
    const wait = this.draw(now);
    if (wait > 0) scheduler.within(wait);
    else scheduler.schedule(); // in the very next frame: a timer would miss it
    board.textBox.drawn();
    this.read(now);
    if (this.shownRun === run) this.sendQueries(now);
    else if (!this.holding) {
      this.shownRun = run;
      scheduler.schedule();
    }
    const { playhead, connection, data, spec, player } = board;
    player.render({ run, playhead, connection, status: data.status || "", language: spec.language }, now);
  }

  /** @param {number} now */
  movePlayhead(now) {
    const { run, playhead, scheduler } = this.board;
    if (this.holding && this.begun) {
      if (now >= this.releaseAt) this.holding = false;
      else scheduler.within(this.releaseAt - now);
    }
    if (!run || this.holding) return;
    const before = playhead.step;
    if (playhead.advance(now, run)) scheduler.schedule();
    if (playhead.step !== before) this.moved = true;
  }

  showMoment() {
    const { run, playhead, grid } = this.board;
    this.moved = false;
    this.readingsDue = true;
    const moment = (run ? run.history : new History()).at(playhead.step);
    const patches = this.framePatches(run, playhead.step);
    for (const figure of grid.figures.values()) figure.show(moment, patches);
  }

  /**
   * The patches of the last frame at or before `step`. While one is fetched, what is on screen stays.
   *
   * @param {Run | null} run
   * @param {number} step
   * @returns {Patch[]}
   */
  framePatches(run, step) {
    const wanted = run ? run.frameStep(step) : -1;
    if (!run || wanted < 0) {
      this.frame = null;
      return [];
    }
    const { playhead, frameLoader } = this.board;
    let frame = run.frame(wanted);
    if (!frame && playhead.follow && (!run.ended || performance.now() - run.statusSince < NEWEST_WAIT)) {
      frame = run.frame(run.cachedStep(step)); // the newest frame is on its way
      this.newestTimer ||= setTimeout(() => {
        this.newestTimer = 0;
        this.board.changed();
      }, NEWEST_WAIT);
    } else if (!frame) frameLoader.want(run, wanted);
    if (frame) this.frame = { run, ...frame };
    if (frame && playhead.playing && !frameLoader.busy) {
      const next = run.frameSteps.find((other) => other > wanted && !run.frames.has(other));
      if (next !== undefined) frameLoader.want(run, next);
    }
    return this.frame?.run === run ? this.frame.patches : [];
  }

  /**
   * Draws what is in view; returns in how many ms there is more to draw.
   *
   * @param {number} now
   */
  draw(now) {
    const figures = [...this.board.grid.figures.values()].filter(
      (figure) =>
        figure.dirty && (figure.visible || (figure.near && !figure.drawn)) && (!this.holding || !figure.drawn),
    );
    return drawInTime(figures, now);
  }

  /** @param {number} now */
  read(now) {
    if (!this.readingsDue) return;
    const wait = READING_INTERVAL - (now - this.readAt);
    if (wait > 0) {
      this.board.scheduler.within(wait);
      return;
    }
    this.readingsDue = false;
    this.readAt = now;
    for (const figure of this.board.grid.figures.values()) figure.read();
  }

  /** @param {number} now */
  sendQueries(now) {
    const { run, playhead, queries, connection, scheduler } = this.board;
    if (!run || !run.history.rows.n || !connection.up || run.status === "queued") return;
    scheduler.within(queries.send(now, run, playhead));
  }

  /** Whether the frame at the playhead is on screen, drawn and told in the readings, as far as it is in sight. */
  get isSettled() {
    const { run, playhead, grid } = this.board;
    if (this.moved || this.holding || this.readingsDue) return false;
    if (run) {
      if (!run.known || playhead.playing || playhead.pacing || (playhead.follow && playhead.step !== run.head)) {
        return false;
      }
      const step = this.frame?.run === run ? this.frame.step : -1;
      if (step !== run.frameStep(playhead.step)) return false;
    }
    return [...grid.figures.values()].every((figure) => !figure.visible || !(figure.dirty || figure.busy));
  }

  /**
   * Whether all figures in sight show the picture of a run.
   *
   * @param {string} id
   */
  isDrawn(id) {
    const { run, grid } = this.board;
    if (run?.id !== id || this.frame?.run !== run) return false;
    return ![...grid.figures.values()].some((figure) => figure.dirty && figure.visible);
  }

  stop() {
    clearTimeout(this.newestTimer);
  }
}
