/** The websocket. */

import { decode } from "./wire.js";

/** The websocket: opened once, opened again after a break with the last step of each run it watches. */
export class Link {
  constructor(board) {
    this.board = board;
    this.socket = null;
    this.connections = 0;
    this.messages = 0;
    this.tries = 0;
    this.lost = 0; // when the connection broke; 0 while it holds
    this.closed = false;
    this.again = () => {
      if (this.timer && !document.hidden) {
        clearTimeout(this.timer);
        this.open();
      }
    };
    window.addEventListener("online", this.again);
    document.addEventListener("visibilitychange", this.again);
  }

  get up() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  open() {
    this.timer = 0;
    if (this.closed || this.socket) return;
    const address = new URL(this.board.url(""));
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    address.pathname = address.pathname.replace(/\/$/, "");
    this.ticket = this.board.data.ticket || "";
    address.searchParams.set("t", this.ticket);
    const socket = (this.socket = new WebSocket(address));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.connections++;
      this.refused = false;
      setTimeout(() => this.socket === socket && this.held(), 1000);
      for (const run of this.board.runs.values()) this.watch(run);
      this.board.asks.reconnected();
      this.board.schedule();
    };
    socket.onmessage = ({ data }) => {
      this.messages++;
      this.held();
      try {
        const { header, arrays } = decode(data);
        this.board.heed(header, arrays, data.byteLength);
      } catch (error) {
        console.error("message:", error);
      }
    };
    socket.onclose = ({ code }) => {
      if (this.socket !== socket) return;
      this.socket = null;
      this.board.box.tell(); // what was on its way may not have arrived
      if (this.closed) return;
      this.lost ||= performance.now();
      if (code === 4403) {
        this.refused = true; // until the page comes with another ticket
        this.expired();
        return;
      }
      const wait = Math.min(8000, 250 * 1.7 ** this.tries++) * (0.75 + 0.5 * Math.random());
      this.timer = setTimeout(() => this.open(), wait);
      this.board.schedule();
      setTimeout(() => this.board.schedule(), 700);
    };
  }

  /** The connection does more than open: the next break is a first one again. */
  held() {
    if (!this.lost && !this.tries) return;
    this.tries = 0;
    this.lost = 0;
    this.board.schedule();
  }

  /** Says that the ticket is no longer good: at once, or as soon as the words for it are here. */
  expired() {
    if (this.refused) this.board.dock.notice("expired", this.board.say("expired"), "error");
  }

  /** A rerun of the page may bring another ticket; it counts from the next connection on. */
  renewed() {
    if (this.refused && this.ticket !== this.board.data.ticket) {
      this.board.dock.dismiss("expired");
      this.refused = false;
      this.open();
    }
  }

  send(message) {
    if (this.up) this.socket.send(JSON.stringify(message));
    return this.up;
  }

  watch(run) {
    this.send({ op: "watch", run: run.id, from: run.head, aside: run.aside });
  }

  leave(run) {
    this.send({ op: "leave", run: run.id });
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    window.removeEventListener("online", this.again);
    document.removeEventListener("visibilitychange", this.again);
    this.socket?.close(1000);
  }
}
