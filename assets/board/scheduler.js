/** When the board works: at most once an animation frame, and only when something asked for it. */

const BUDGET = 14; // ms of an animation frame after which the other figures wait for the next one

/**
 * What can be drawn.
 *
 * @typedef {object} Drawable
 * @property {number} drawnAt when it was drawn last, in ms
 * @property {boolean} [solid] whether it is a scene in three dimensions, which takes longest at first
 * @property {(now: number) => number} dueIn in how many ms it may be drawn again
 * @property {(now: number) => unknown} render
 */

export class Scheduler {
  /** @param {(now: number) => void} pass the work of one animation frame */
  constructor(pass) {
    this.pass = pass;
    this.stopped = false;
    this.requested = 0;
    /** @type {ReturnType<typeof setTimeout> | 0} */
    this.timer = 0;
    this.timerAt = 0;
  }

  /** Asks for one pass in the next animation frame, however often it is called. */
  schedule() {
    if (this.requested || this.stopped) return;
    this.requested = requestAnimationFrame(() => {
      this.requested = 0;
      this.pass(performance.now());
    });
  }

  /**
   * Makes sure that there is a pass within `ms`.
   *
   * @param {number} ms Infinity for no need of one
   */
  within(ms) {
    const at = performance.now() + Math.max(1, ms);
    if (ms === Infinity || (this.timer && this.timerAt <= at)) return;
    clearTimeout(this.timer);
    this.timerAt = at;
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.schedule();
    }, at - performance.now());
  }

  stop() {
    this.stopped = true;
    cancelAnimationFrame(this.requested);
    clearTimeout(this.timer);
  }
}

/**
 * Draws as long as there is time: first what waits longest, and at first a scene in three dimensions last.
 *
 * @param {Drawable[]} figures those that have something new to show
 * @param {number} now in ms
 * @returns {number} in how many ms the next of them may be drawn; 0 where the time was too short, Infinity for none
 */
export function drawInTime(figures, now) {
  let wait = Infinity;
  const order = [...figures].sort((a, b) => a.drawnAt - b.drawnAt || Number(!!a.solid) - Number(!!b.solid));
  for (const figure of order) {
    const due = figure.dueIn(now);
    if (due > 0) wait = Math.min(wait, due);
    else if (performance.now() - now > BUDGET) wait = 0;
    else figure.render(now);
  }
  return wait;
}
