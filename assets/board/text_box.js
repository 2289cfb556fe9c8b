/**
 * The text that a run is about, above the figures. Its run is begun over the live connection and drawn; only then does
 * the page hear of the text, so that drawing the page again does not keep the figures waiting.
 *
 * @import { TextBoxData } from "./schema.d.ts"
 */

import { el, setAttr, setText } from "./dom.js";

const TELL_AFTER = 700; // ms after which the page hears of a text even if nothing of its run is drawn yet
const LONGEST_MESSAGE = 40000; // characters of a text; the server reads no longer message

let boxes = 0;

/**
 * @typedef {object} TextBoxHost
 * @property {(key: string, values?: Record<string, unknown>) => string} say
 * @property {(settings: object) => number} begin begins a run of these settings; id of the message, 0 if not sent
 * @property {(run: string) => boolean} isDrawn whether all figures in sight show that run
 * @property {(value: { text: string, n: number, run: string }) => void} tellPage
 */

export class TextBox {
  /** @param {TextBoxHost} host */
  constructor(host) {
    this.host = host;
    /** @type {TextBoxData | null | undefined} What the page says. */
    this.data = null;
    /** The text that was sent last, or that the page has. */
    this.base = "";
    /** The number of what was sent last. */
    this.number = 0;
    /** @type {{ text: string, n: number, run: string, id: number } | null} What the page has not heard of yet. */
    this.sent = null;
    this.area = el("textarea", "", { id: `tr-box-${++boxes}`, spellcheck: "false", autocapitalize: "sentences" });
    this.label = el("label", "", { for: this.area.id });
    this.help = el("span", "tr-help");
    this.count = el("span", "tr-help", { id: `${this.area.id}-count` });
    this.fault = el("p", "tr-wrong", { id: `${this.area.id}-fault`, role: "alert" });
    this.button = el("button", "tr-send", { type: "button" });
    this.area.setAttribute("aria-describedby", `${this.count.id} ${this.fault.id}`);
    const head = el("div", "tr-box-head", {}, this.label, this.help);
    const foot = el("div", "tr-box-foot", {}, this.count, this.button);
    this.element = el("div", "tr-box", { hidden: "" }, head, this.area, this.fault, foot);
    this.area.addEventListener("input", () => this.render());
    this.area.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
      event.preventDefault();
      if (this.send()) event.stopPropagation(); // else it is the page's own key: run the same again
    });
    this.button.addEventListener("click", () => this.send());
    this.area.addEventListener("blur", ({ relatedTarget }) => {
      if (relatedTarget !== this.button) this.send(true); // on the way to another button
    });
  }

  /**
   * Whether the page has heard of the last text.
   *
   * @param {TextBoxData | null | undefined} data
   */
  isKnownTo(data) {
    return !data || data.n >= this.number;
  }

  /**
   * Takes what the page says. A text it got from elsewhere replaces what is here; a text on its way to it stays.
   *
   * @param {TextBoxData | null | undefined} data
   */
  update(data) {
    this.data = data;
    this.element.hidden = !data;
    if (!data) return;
    setText(this.label, data.label);
    setText(this.help, data.help || "");
    setAttr(this.area, "rows", data.lines);
    if (this.isKnownTo(data)) {
      if (data.value !== this.base) this.area.value = this.base = data.value;
      this.showFault(data.error);
    }
    this.render();
  }

  render() {
    const { data } = this;
    if (!data) return;
    const n = [...this.area.value].length;
    setText(this.count, this.host.say("characters", { n, longest: data.longest }));
    setAttr(this.count, "data-over", n > data.longest);
    setText(this.button, this.host.say("send"));
    this.button.disabled = this.area.value === this.base;
  }

  /** @param {string} text */
  showFault(text) {
    setText(this.fault, text || "");
    this.fault.hidden = !text;
    setAttr(this.area, "aria-invalid", !!text);
  }

  /**
   * Sends the text if it is another one; returns whether it was.
   *
   * @param {boolean} [byPage] by way of the page alone
   */
  send(byPage = false) {
    const text = this.area.value;
    if (!this.data || text === this.base) return false;
    this.base = text;
    this.number = Math.max(this.number + 1, Date.now());
    this.showFault("");
    const sent = (this.sent = { text, n: this.number, run: "", id: 0 });
    if (byPage || !this.begin(this.data, sent)) this.tellPage();
    else setTimeout(() => sent === this.sent && this.tellPage(), TELL_AFTER);
    this.render();
    return true;
  }

  /**
   * Begins the run over the live connection; false where that cannot be.
   *
   * @param {TextBoxData} data
   * @param {{ text: string, id: number }} sent
   */
  begin(data, sent) {
    if (!data.settings || sent.text.length > LONGEST_MESSAGE) return false;
    sent.id = this.host.begin({ ...data.settings, [data.field]: sent.text });
    return sent.id > 0;
  }

  /**
   * The server has begun a run.
   *
   * @param {{ id?: number | null, run: string }} message
   */
  begun({ id, run }) {
    if (id && this.sent && id === this.sent.id) this.sent.run = run;
  }

  /**
   * Whether a refusal is of this text: it is said here, and the page keeps the text to be mended.
   *
   * @param {number | null | undefined} id of the message that was refused
   * @param {string} text
   */
  refused(id, text) {
    if (!id || id !== this.sent?.id) return false;
    this.showFault(text);
    this.tellPage();
    return true;
  }

  /** Called after each drawing: once the figures have the new run's first picture, the page may take its time. */
  drawn() {
    if (this.sent?.run && this.host.isDrawn(this.sent.run)) this.tellPage();
  }

  /** Lets the page know, once; after the picture that is about to be painted. */
  tellPage() {
    if (!this.sent) return;
    const { text, n, run } = this.sent;
    this.sent = null;
    const tell = () => this.host.tellPage({ text, n, run });
    if (run) requestAnimationFrame(() => setTimeout(tell));
    else tell();
  }
}
