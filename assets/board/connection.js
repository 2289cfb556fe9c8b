/**
 * The websocket to the server: opened once, and opened again after a break.
 *
 * @import { Run } from "./run.js"
 * @import { WireArrays } from "./types.d.ts"
 */

import { liveUrl } from "./addresses.js";
import { decode } from "./wire.js";

const TICKET_EXPIRED = 4403; // the server's close code
const STABLE = 1000; // ms that a connection holds before its next break counts as a first one
const LONGEST_WAIT = 8000; // ms between two attempts

/**
 * @typedef {object} ConnectionHost
 * @property {() => string} ticket what lets this page command its learner's runs
 * @property {() => void} opened
 * @property {(header: any, arrays: WireArrays, bytes: number) => void} received
 * @property {() => void} broken what was on its way may not have arrived
 * @property {() => void} changed there is another state to show
 * @property {() => void} expired the ticket is no longer good
 */

export class Connection {
  /** @param {ConnectionHost} host */
  constructor(host) {
    this.host = host;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {ReturnType<typeof setTimeout> | 0} */
    this.timer = 0;
    this.ticket = "";
    this.connections = 0;
    this.messages = 0;
    this.attempts = 0;
    /** When the connection broke, in ms; 0 while it holds. */
    this.lostAt = 0;
    /** Whether the server did not take the ticket. */
    this.refused = false;
    this.closed = false;
    this.retryNow = () => {
      if (this.timer && !document.hidden) {
        clearTimeout(this.timer);
        this.open();
      }
    };
    window.addEventListener("online", this.retryNow);
    document.addEventListener("visibilitychange", this.retryNow);
  }

  get up() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  open() {
    this.timer = 0;
    if (this.closed || this.socket) return;
    this.ticket = this.host.ticket();
    const socket = (this.socket = new WebSocket(this.address()));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.connections++;
      this.refused = false;
      setTimeout(() => this.socket === socket && this.holds(), STABLE);
      this.host.opened();
    };
    socket.onmessage = ({ data }) => {
      this.messages++;
      this.holds();
      try {
        const { header, arrays } = decode(data);
        this.host.received(header, arrays, data.byteLength);
      } catch (error) {
        console.error("message:", error);
      }
    };
    socket.onclose = ({ code }) => this.lost(socket, code);
  }

  address() {
    const address = new URL(liveUrl(""));
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    address.pathname = address.pathname.replace(/\/$/, "");
    address.searchParams.set("t", this.ticket);
    return address;
  }

  /**
   * @param {WebSocket} socket
   * @param {number} code
   */
  lost(socket, code) {
    if (this.socket !== socket) return;
    this.socket = null;
    this.host.broken();
    if (this.closed) return;
    this.lostAt ||= performance.now();
    if (code === TICKET_EXPIRED) {
      this.refused = true; // until the page comes with another ticket
      this.host.expired();
      return;
    }
    const wait = Math.min(LONGEST_WAIT, 250 * 1.7 ** this.attempts++) * (0.75 + 0.5 * Math.random());
    this.timer = setTimeout(() => this.open(), wait);
    this.host.changed();
    setTimeout(() => this.host.changed(), 700); // by then it is worth saying
  }

  /** The connection does more than open: the next break is a first one again. */
  holds() {
    if (!this.lostAt && !this.attempts) return;
    this.attempts = 0;
    this.lostAt = 0;
    this.host.changed();
  }

  /** A rerun of the page may bring another ticket, which counts from the next connection on. Returns whether it did. */
  renew() {
    if (!this.refused || this.ticket === this.host.ticket()) return false;
    this.refused = false;
    this.open();
    return true;
  }

  /** @param {object} message */
  send(message) {
    if (this.up) this.socket?.send(JSON.stringify(message));
    return this.up;
  }

  /** @param {Run} run */
  watch(run) {
    this.send({ op: "watch", run: run.id, from: run.head, aside: run.beside });
  }

  /** @param {{ id: string }} run */
  leave(run) {
    this.send({ op: "leave", run: run.id });
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    window.removeEventListener("online", this.retryNow);
    document.removeEventListener("visibilitychange", this.retryNow);
    this.socket?.close(1000);
  }
}
