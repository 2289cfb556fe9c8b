/**
 * Questions about the run: those of the page and those of clicks, asked again as the frame on show changes.
 *
 * @import { Playhead } from "./playhead.js"
 * @import { Run } from "./run.js"
 * @import { Query as PageQuery } from "./schema.d.ts"
 * @import { Settings } from "./types.d.ts"
 */

const INTERVAL = 200; // ms between two questions of one kind

/**
 * @typedef {object} Query
 * @property {string} name
 * @property {Settings} args
 * @property {boolean} follow whether it is asked again when the moment on show changes
 * @property {boolean} once whether it is about no run, only about what it asks with
 * @property {string | null} asked the moment that it was asked about last
 * @property {number} at when it was asked last, in ms
 * @property {number} flight id of the message that is not yet answered, or 0
 */

/**
 * @typedef {object} QueriesHost
 * @property {(message: object) => boolean} send whether the message went off
 * @property {() => void} changed a question is new: there is something to send
 * @property {() => void} landed an answer came: another question may be sent
 * @property {(key: string) => void} dropped nobody asks this any more
 */

export class Queries {
  /** @param {QueriesHost} host */
  constructor(host) {
    this.host = host;
    /** @type {Map<string, Query>} The questions in force by key; what was asked last stands last. */
    this.standing = new Map();
    /** @type {Map<number, string>} Ids of the messages that are not yet answered -> keys. */
    this.pending = new Map();
    this.lastId = 0;
  }

  /** The next id of a message that will be answered. */
  nextId() {
    return ++this.lastId;
  }

  /** The keys of the questions in force, in the order in which they were asked. */
  keys() {
    return [...this.standing.keys()];
  }

  /**
   * Takes the page's own questions; those it had before and has no longer are dropped.
   *
   * @param {PageQuery[] | undefined} queries
   */
  setPageQueries(queries) {
    const keys = new Set();
    (queries || []).forEach(({ name, args, follow = true, once = false }, index) => {
      const key = `page/${name}/${index}`;
      keys.add(key);
      const standing = this.standing.get(key);
      const unchanged = standing && JSON.stringify(standing.args) === JSON.stringify(args || {});
      if (!unchanged) this.ask(key, name, args || {}, follow && !once, once);
    });
    for (const key of this.keys()) if (key.startsWith("page/") && !keys.has(key)) this.drop(key);
  }

  /**
   * A gesture asks: the question of that name, with what was asked before and is not said anew.
   *
   * @param {string} name
   * @param {Settings} args
   * @param {boolean} follow
   */
  askFrom(name, args, follow) {
    const key = `pick/${name}`;
    this.ask(key, name, { ...this.standing.get(key)?.args, ...args }, follow);
  }

  /**
   * @param {string} key
   * @param {string} name
   * @param {Settings} args
   * @param {boolean} follow
   * @param {boolean} [once]
   */
  ask(key, name, args, follow, once = false) {
    const previous = this.standing.get(key);
    this.standing.delete(key);
    const { at = -1e9, flight = 0 } = previous ?? {};
    this.standing.set(key, { name, args, follow, once, asked: null, at, flight });
    this.host.changed();
  }

  /** @param {string} name of a question that a gesture asked and nobody asks any more */
  dropGesture(name) {
    this.drop(`pick/${name}`);
  }

  /** @param {string} key */
  drop(key) {
    this.standing.delete(key);
    this.host.dropped(key);
  }

  /**
   * Sends what is due; returns in how many ms something will be.
   *
   * @param {number} now in ms
   * @param {Run} run
   * @param {Playhead} playhead
   */
  send(now, run, playhead) {
    let wait = Infinity;
    const live = playhead.follow && !run.ended;
    const frame = run.frameStep(playhead.step);
    const moment = `${run.version} ${frame >= 0 ? frame : playhead.step} ${run.ended}`;
    for (const [key, query] of this.standing) {
      if (query.asked !== null && (query.asked === moment || !query.follow)) continue;
      if (query.flight) continue;
      const due = query.asked === null ? 0 : INTERVAL - (now - query.at);
      if (due > 0) {
        wait = Math.min(wait, due);
        continue;
      }
      const id = this.nextId();
      const step = live ? null : playhead.step;
      if (!this.host.send({ op: "ask", id, run: run.id, step, name: query.name, args: query.args })) continue;
      Object.assign(query, { asked: moment, at: now, flight: id });
      this.pending.set(id, key);
    }
    return wait;
  }

  /**
   * An answer or a refusal came: returns the question's key, or null if nobody waits for it any more.
   *
   * @param {number} id
   */
  land(id) {
    const key = this.pending.get(id);
    this.pending.delete(id);
    const query = key === undefined ? undefined : this.standing.get(key);
    if (query?.flight === id) query.flight = 0;
    this.host.landed();
    return query && key !== undefined ? key : null;
  }

  /** Another run: the page's questions and those that follow are asked of it too; the others were about the old one. */
  changeRun() {
    for (const [key, query] of [...this.standing]) {
      if (query.once && query.asked !== null && !query.flight) continue;
      query.asked = null;
      query.flight = 0;
      if (!query.follow && !key.startsWith("page/")) this.drop(key);
    }
    this.pending.clear();
  }

  /** Another connection: what was not yet answered is asked again. */
  reconnect() {
    for (const query of this.standing.values()) if (query.flight) Object.assign(query, { flight: 0, asked: null });
    this.pending.clear();
  }
}
