/**
 * What the viewer does with the run on the board: play, pause, step, scrub, stop, fork.
 *
 * @import { Playhead } from "./playhead.js"
 * @import { Run } from "./run.js"
 */

/**
 * @typedef {object} TransportHost
 * @property {() => { run: Run | null, playhead: Playhead }} state
 * @property {(message: object) => boolean} send
 * @property {(run: string, step: number) => void} fork asks the page for a fork of a run
 * @property {() => void} changed there is another moment to show
 * @property {() => void} schedule asks for one pass
 */

export class Transport {
  /** @param {TransportHost} host */
  constructor(host) {
    this.host = host;
  }

  /** The run and the playhead, where the run has steps; else null. */
  ready() {
    const { run, playhead } = this.host.state();
    return run && run.head >= 0 ? { run, playhead } : null;
  }

  /**
   * Sends a command to the run's worker.
   *
   * @param {"pause" | "resume" | "step" | "stop"} command
   */
  command(command) {
    const { run, playhead } = this.host.state();
    if (run) this.host.send({ op: "tell", run: run.id, command, changes: {}, at: playhead.step });
  }

  /** Plays or pauses: behind the head the playhead, at the head the run. */
  toggle() {
    const ready = this.ready();
    if (!ready) return;
    const { run, playhead } = ready;
    if (playhead.playing || playhead.pacing) playhead.stay();
    else if (playhead.follow || playhead.step >= run.head) {
      if (run.status === "running") this.command("pause");
      else if (run.status === "paused") {
        playhead.goLive();
        this.command("resume");
      } else if (run.ended && run.head > run.history.first) playhead.play(run.history.first);
    } else playhead.play(playhead.step);
    this.host.changed();
  }

  /**
   * To the step before (-1) or after (1); beyond the head a paused run is told to take one.
   *
   * @param {number} direction
   */
  stepBy(direction) {
    const ready = this.ready();
    if (!ready) return;
    const { run, playhead } = ready;
    if (direction > 0 && playhead.step >= run.head) {
      if (run.status === "paused") {
        playhead.goLive();
        this.command("step");
      }
    } else playhead.go(run.history.neighbour(playhead.step, direction), run);
    this.host.changed();
  }

  /** @param {number} step the last step at or before it is shown */
  scrub(step) {
    const ready = this.ready();
    if (!ready) return;
    ready.playhead.go(ready.run.history.floor(step), ready.run);
    this.host.changed();
  }

  goToStart() {
    const ready = this.ready();
    if (ready) ready.playhead.go(ready.run.history.first, ready.run);
  }

  goLive() {
    this.host.state().playhead.goLive();
    this.host.changed();
  }

  /** @param {number} speed of replays */
  setSpeed(speed) {
    this.host.state().playhead.speed = speed;
    this.host.schedule();
  }

  /**
   * To the step before (-1) or after (1) that can be forked.
   *
   * @param {number} direction
   */
  toCheckpoint(direction) {
    const ready = this.ready();
    if (!ready) return;
    const { run, playhead } = ready;
    const step =
      direction < 0
        ? run.checkpoints.filter((other) => other < playhead.step).at(-1)
        : run.checkpoints.find((other) => other > playhead.step);
    if (step !== undefined) playhead.go(step, run);
  }

  /** A new run from the last step that can be forked, with the page's settings: the page makes it. */
  fork() {
    const { run, playhead } = this.host.state();
    const step = run ? run.checkpoint(playhead.step) : -1;
    if (run && step >= 0) this.host.fork(run.id, step);
  }
}
