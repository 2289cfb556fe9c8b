/** The step that is on show. */

const REPLAY = 6; // seconds that a replay takes at speed 1,
const WATCHED = 10; // unless the run was paced at so many steps a second or fewer: each of them is to be seen
const FAST = 0.4; // part of a run that arrives within its first second if it is to be replayed instead of followed

/** Where the viewer is. `follow`: at the head as it moves; `playing`: replaying towards it; neither: staying. */
export class Playhead {
  constructor() {
    this.step = -1;
    this.follow = true;
    this.playing = false;
    this.speed = 1;
    this.position = 0;
    this.pacing = 0; // when the first second of a fast run began
    this.at = 0;
  }

  /** Moves to `step` and stays there. */
  go(step, run) {
    this.playing = false;
    this.pacing = 0;
    this.step = step;
    this.follow = step >= run.head;
  }

  play(from) {
    this.step = from;
    this.position = from;
    this.playing = true;
    this.follow = false;
    this.pacing = 0;
    this.at = 0;
  }

  stay() {
    this.playing = false;
    this.pacing = 0;
    this.follow = false;
  }

  live() {
    this.playing = false;
    this.pacing = 0;
    this.follow = true;
  }

  pace(now) {
    this.live();
    this.pacing = now;
  }

  /** Moves on; returns whether it will have to move again by itself. */
  advance(now, run) {
    const { head, history } = run;
    if (head < 0) {
      this.step = -1;
      return false;
    }
    const own = run.params?.pace;
    const rate = (own > 0 && own <= WATCHED ? own : Math.max(Math.max(run.total, head) / REPLAY, 1.5)) * this.speed; // steps a second
    if (this.pacing) {
      const passed = (now - this.pacing) / 1000;
      this.step = Math.min(head, Math.floor(history.first + passed * rate));
      if (passed < 1 && !run.ended) return true;
      if (run.ended || head >= FAST * run.total) this.play(this.step);
      else this.live();
    }
    if (this.follow) {
      this.step = head;
      return false;
    }
    if (!this.playing) {
      if (this.step > head) this.step = head;
      return false;
    }
    const passed = this.at ? Math.min(0.25, (now - this.at) / 1000) : 0;
    this.at = now;
    this.position = Math.max(this.position, history.first) + passed * rate;
    const n = history.rows.upTo(this.position);
    this.step = n ? history.rows.steps[n - 1] : history.first;
    if (this.step >= head) this.live();
    return this.playing;
  }
}
