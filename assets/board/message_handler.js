/**
 * What the server says: about runs, about questions, and about which run is on the board.
 *
 * @import { Board } from "./board.js"
 * @import { Run } from "./run.js"
 * @import { Patch, ServerMessage } from "./schema.d.ts"
 * @import { WireArrays } from "./types.d.ts"
 */

import { resolveArrays } from "./wire.js";

const PICTURE_DELAY = 40; // ms that further numbers of a run wait for the picture that belongs to them

/** @typedef {{ [T in ServerMessage["type"]]: Extract<ServerMessage, { type: T }> }} Messages */

export class MessageHandler {
  /** @param {Board} board */
  constructor(board) {
    this.board = board;
  }

  /**
   * @param {ServerMessage} message
   * @param {WireArrays} arrays
   * @param {number} bytes
   */
  handle(message, arrays, bytes) {
    const { board } = this;
    const run = "run" in message ? board.runs.get(message.run) : undefined;
    if (message.type === "refused") this.onRefused(message);
    else if (message.type === "moved") this.onMoved(message);
    else if (message.type === "next") this.onNext(message);
    else if (message.type === "answer") this.onAnswer(message, arrays);
    else if (run) {
      if (message.type === "run") this.onRun(message, run);
      else if (message.type === "scalars") this.onScalars(message, arrays, run);
      else if (message.type === "frame") this.onFrame(message, arrays, bytes, run);
      else if (message.type === "rewind") this.onRewind(message, run);
      const waits = message.type === "scalars" && board.renderer.awaitsPicture(run);
      if (waits) {
        board.renderer.moved = true; // mostly the picture comes right behind: both are drawn at once
        board.scheduler.within(PICTURE_DELAY);
        return;
      }
    }
    board.changed();
  }

  /**
   * @param {Messages["run"]} message
   * @param {Run} run
   */
  onRun(message, run) {
    const { board } = this;
    run.update(message);
    if (run !== board.run) return;
    this.describe(run);
    if (run.head >= 0) board.renderer.begin(run);
    board.runs.watchOrigin();
  }

  /**
   * @param {Messages["scalars"]} message
   * @param {WireArrays} arrays
   * @param {Run} run
   */
  onScalars({ groups }, arrays, run) {
    const blocks = groups.map(({ names }, i) => {
      const steps = /** @type {Int32Array} */ (arrays[`steps${i}`].values);
      const values = /** @type {Float64Array} */ (arrays[`values${i}`].values);
      return { names, steps, values };
    });
    run.history.add(blocks);
    if (run === this.board.run) this.board.renderer.begin(run);
  }

  /**
   * @param {Messages["frame"]} message
   * @param {WireArrays} arrays
   * @param {number} bytes
   * @param {Run} run
   */
  onFrame({ step, patches }, arrays, bytes, run) {
    run.addFrame(step, resolveArrays(patches, arrays), bytes);
    this.board.renderer.pictureCame(run);
  }

  /**
   * @param {Messages["rewind"]} message
   * @param {Run} run
   */
  onRewind({ step, note }, run) {
    run.rewind(step);
    if (run === this.board.run) this.board.notices.show("note", this.board.translate(note));
  }

  /**
   * What a run says about itself in words.
   *
   * @param {Run} run
   */
  describe(run) {
    const { notices, renderer } = this.board;
    if ((run.status === "queued" && run.place) || run.ended) renderer.holding = false;
    if (run.error) notices.show("error", this.board.translate(run.error), "error");
    else notices.dismiss("error");
    if (run.note) notices.show("note", this.board.translate(run.note));
    else notices.dismiss("note");
  }

  /**
   * The page is about to show another run; the server has made this board its viewer already.
   *
   * @param {Messages["next"]} message
   */
  onNext(message) {
    const { board } = this;
    board.textBox.begun(message);
    const { from, run: id } = message;
    if (from === id) return; // the run that is on the board already
    if (board.run?.id === from) board.show(id, true);
    else if (!board.runs.has(id)) board.connection.leave({ id });
  }

  /**
   * A command was about somebody else's run too: this page goes on with a copy, which the server sends already.
   *
   * @param {Messages["moved"]} message
   */
  onMoved({ from, run: id }) {
    const { board } = this;
    if (board.run?.id !== from) return;
    board.renderer.continueWith(id);
    board.runs.moveTo(from, id);
    board.queries.changeRun();
    board.notices.show("moved", board.say("moved"));
    board.setStateValue?.("run", id);
  }

  /** @param {Messages["refused"]} message */
  onRefused({ id, error }) {
    const { board } = this;
    const text = board.translate(error);
    if (board.textBox.refused(id, text)) return;
    const key = id === null || id === undefined ? "" : board.queries.land(id);
    if (key === null) return; // it was about another run, or nobody asks it any more
    board.notices.show(`refused ${key}`, board.say("refused", { error: text }) || text, "error");
  }

  /**
   * @param {Messages["answer"]} message
   * @param {WireArrays} arrays
   */
  onAnswer({ id, run, patches }, arrays) {
    const { board } = this;
    const key = board.queries.land(id);
    if (key === null || run !== board.run?.id) return;
    board.notices.dismiss(`refused ${key}`);
    /** @type {Patch[]} */
    const resolved = resolveArrays(patches, arrays);
    for (const figure of board.grid.figures.values()) {
      const own = resolved.filter((patch) => patch.figure === figure.spec.id);
      if (own.length || figure.answers.has(key)) figure.answer(key, own);
    }
  }
}
