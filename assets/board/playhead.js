/**
 * The step on show. `follow`: at the head as it moves; `playing`: replaying towards it; neither: staying.
 *
 * @import { Run } from "./run.js"
 */

const REPLAY = 6; // seconds that a replay takes at speed 1
const SLOW_PACE = 10; // steps a second; a run paced at no more is replayed at its pace: each step is to be seen
const FAST = 0.4; // part of a run that arrives in its first second if it is to be replayed instead of followed
const LONGEST_TICK = 0.25; // seconds by which a replay moves on in one frame at most

export class Playhead {
  constructor() {
    this.step = -1;
    this.follow = true;
    this.playing = false;
    this.speed = 1;
    /** Where between two steps a replay is. */
    this.position = 0;
    /** When the first second of a fast run began, in ms; 0 after it. */
    this.pacing = 0;
    /** When a replay moved on last, in ms. */
    this.movedAt = 0;
  }

  /**
   * Moves to `step` and stays there.
   *
   * @param {number} step
   * @param {{ head: number }} run
   */
  go(step, run) {
    this.playing = false;
    this.pacing = 0;
    this.step = step;
    this.follow = step >= run.head;
  }

  /** @param {number} from the step to replay from */
  play(from) {
    this.step = from;
    this.position = from;
    this.playing = true;
    this.follow = false;
    this.pacing = 0;
    this.movedAt = 0;
  }

  stay() {
    this.playing = false;
    this.pacing = 0;
    this.follow = false;
  }

  goLive() {
    this.playing = false;
    this.pacing = 0;
    this.follow = true;
  }

  /**
   * Shows a run that has just begun no faster than a replay, until it is known how fast it is.
   *
   * @param {number} now in ms
   */
  pace(now) {
    this.goLive();
    this.pacing = now;
  }

  /**
   * Steps a second of a replay.
   *
   * @param {Pick<Run, "head" | "total" | "params">} run
   */
  rate(run) {
    const pace = run.params?.pace;
    const rate = pace > 0 && pace <= SLOW_PACE ? pace : Math.max(Math.max(run.total, run.head) / REPLAY, 1.5);
    return rate * this.speed;
  }

  /**
   * Moves on; returns whether it will have to move again by itself.
   *
   * @param {number} now in ms
   * @param {Pick<Run, "head" | "history" | "total" | "params" | "ended">} run
   */
  advance(now, run) {
    const { head, history } = run;
    if (head < 0) {
      this.step = -1;
      return false;
    }
    const rate = this.rate(run);
    if (this.pacing) {
      const passed = (now - this.pacing) / 1000;
      this.step = Math.min(head, Math.floor(history.first + passed * rate));
      if (passed < 1 && !run.ended) return true;
      if (run.ended || head >= FAST * run.total) this.play(this.step);
      else this.goLive();
    }
    if (this.follow) {
      this.step = head;
      return false;
    }
    if (!this.playing) {
      if (this.step > head) this.step = head;
      return false;
    }
    const passed = this.movedAt ? Math.min(LONGEST_TICK, (now - this.movedAt) / 1000) : 0;
    this.movedAt = now;
    this.position = Math.max(this.position, history.first) + passed * rate;
    this.step = history.floor(this.position);
    if (this.step >= head) this.goLive();
    return this.playing;
  }
}
