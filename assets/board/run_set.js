/** The run on the board, and those that are only drawn beside it. */

import { Run } from "./run.js";

/**
 * @typedef {object} RunSetHost
 * @property {(run: Run) => void} watch asks the server for a run
 * @property {(run: { id: string }) => void} leave tells the server that a run is not wanted any more
 */

export class RunSet {
  /** @param {RunSetHost} host */
  constructor(host) {
    this.host = host;
    /** @type {Run | null} */
    this.current = null;
    /** @type {Map<string, Run>} */
    this.byId = new Map();
  }

  /** All runs that the server sends. */
  values() {
    return this.byId.values();
  }

  /** @param {string} id */
  get(id) {
    return this.byId.get(id);
  }

  /** @param {string} id */
  has(id) {
    return this.byId.has(id);
  }

  /** The last step of the run on the board, or -1. */
  get head() {
    return this.current ? this.current.head : -1;
  }

  /**
   * Leaves all runs and puts another one on the board.
   *
   * @param {string | null} id
   * @param {boolean} watched whether the server sends it already
   */
  replace(id, watched) {
    for (const run of this.byId.values()) this.host.leave(run);
    this.byId.clear();
    this.current = null;
    if (id === null) return;
    this.current = this.add(new Run(id));
    if (!watched) this.host.watch(this.current);
  }

  /**
   * The server has put a copy in the place of the run on the board, and sends that one.
   *
   * @param {string} from
   * @param {string} id
   */
  moveTo(from, id) {
    this.byId.delete(from);
    this.current = this.add(new Run(id));
  }

  /** Watches the run that the one on the board is a fork of, for its curves alone. */
  watchOrigin() {
    const [origin] = this.current?.origin || [];
    if (origin && !this.byId.has(origin)) this.host.watch(this.add(new Run(origin, true)));
  }

  /** The run that the one on the board is a fork of, and the step from which it is drawn; null where there is none. */
  get origin() {
    const { current } = this;
    if (!current?.origin) return null;
    const [id, step] = current.origin;
    const run = this.byId.get(id);
    return run && run !== current && run.history.rows.n ? { run, step } : null;
  }

  /**
   * All that is known of any run; it is watched from now on.
   *
   * @param {string} id
   */
  latest(id) {
    let run = this.byId.get(id);
    if (!run) {
      run = this.add(new Run(id));
      this.host.watch(run);
    }
    return run.history.at(Infinity);
  }

  /** @param {Run} run */
  add(run) {
    this.byId.set(run.id, run);
    return run;
  }
}
