/** Sentences over the player that stay until they are dismissed; the same key is the same notice. */

import { el, setText } from "./dom.js";

const AT_ONCE = 3; // notices on screen
const OF_THE_PAGE = new Set(["expired", "moved"]); // these stay when another run is shown

export class Notices {
  /** @param {(key: string) => string} say */
  constructor(say) {
    this.say = say;
    this.element = el("div", "tr-notices", { role: "status", "aria-live": "polite" });
    /** @type {Map<string, HTMLElement>} */
    this.shown = new Map();
    /** What the viewer has closed: it is not said again about the same run. */
    this.closed = new Set();
  }

  /**
   * @param {string} key
   * @param {string} text
   * @param {"note" | "error"} [kind]
   */
  show(key, text, kind = "note") {
    if (!text || this.closed.has(`${key} ${text}`)) return;
    const element = this.shown.get(key) ?? this.add(key);
    element.dataset.kind = kind;
    setText(/** @type {Element} */ (element.firstChild), text);
  }

  /** @param {string} key */
  add(key) {
    const close = el("button", "tr-close", { type: "button", "aria-label": this.say("dismiss") || "×" }, "×");
    const element = el("div", "tr-notice", {}, el("span"), close);
    close.onclick = () => {
      this.closed.add(`${key} ${element.firstChild?.textContent}`);
      this.dismiss(key);
    };
    this.shown.set(key, element);
    while (this.shown.size > AT_ONCE) this.dismiss([...this.shown.keys()][0]);
    this.element.append(element);
    return element;
  }

  /** @param {string} key */
  dismiss(key) {
    this.shown.get(key)?.remove();
    this.shown.delete(key);
  }

  /** Another run: what was said about the old one goes. */
  clear() {
    for (const key of [...this.shown.keys()]) if (!OF_THE_PAGE.has(key)) this.dismiss(key);
    this.closed.clear();
  }
}
