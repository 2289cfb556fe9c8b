/** The text that a run is about. */

import { attribute, make, write } from "./dom.js";

const HEARD = 700; // ms after which the page hears of a text even if nothing of its run is drawn yet
const LONG = 40000; // characters of a message that the server would not read

let boxes = 0;

/** The text that a run is about, above the figures. Its run is begun over the live connection and drawn; only then does
    the page hear of the text, so that drawing the page again does not keep the figures waiting. */
export class Box {
  constructor(board) {
    this.board = board;
    this.base = ""; // what was sent last, or what the page has
    this.number = 0; // of what was sent last
    this.sent = null; // {text, n, run, id}: what the page has not heard of yet
    this.area = make("textarea", "", { id: `tr-box-${++boxes}`, spellcheck: "false", autocapitalize: "sentences" });
    this.label = make("label", "", { for: this.area.id });
    this.help = make("span", "tr-help");
    this.count = make("span", "tr-help", { id: `${this.area.id}-count` });
    this.fault = make("p", "tr-wrong", { id: `${this.area.id}-fault`, role: "alert" });
    this.button = make("button", "tr-send", { type: "button" });
    this.area.setAttribute("aria-describedby", `${this.count.id} ${this.fault.id}`);
    const foot = make("div", "tr-box-foot", {}, this.count, this.button);
    this.element = make(
      "div",
      "tr-box",
      { hidden: "" },
      make("div", "tr-box-head", {}, this.label, this.help),
      this.area,
      this.fault,
      foot,
    );
    this.area.addEventListener("input", () => this.render());
    this.area.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
      event.preventDefault();
      if (this.send()) event.stopPropagation(); // else it is the page's own key: run the same again
    });
    this.button.addEventListener("click", () => this.send());
    this.area.addEventListener("blur", ({ relatedTarget }) => {
      if (relatedTarget !== this.button) this.send(true); // on the way to another button, which the page hears of at once
    });
  }

  /** Whether the page has heard of the last text. */
  heard(given) {
    return !given || given.n >= this.number;
  }

  /** What the page says. A text it got from elsewhere replaces what is here; a text still on its way to it stays. */
  update(given) {
    this.given = given;
    this.element.hidden = !given;
    if (!given) return;
    write(this.label, given.label);
    write(this.help, given.help || "");
    attribute(this.area, "rows", given.lines);
    if (this.heard(given)) {
      if (given.value !== this.base) this.area.value = this.base = given.value;
      this.wrong(given.error);
    }
    this.render();
  }

  render() {
    const { given, board } = this;
    if (!given) return;
    const n = [...this.area.value].length;
    write(this.count, board.say("characters", { n, longest: given.longest }));
    attribute(this.count, "data-over", n > given.longest);
    write(this.button, board.say("send"));
    this.button.disabled = this.area.value === this.base;
  }

  wrong(text) {
    write(this.fault, text || "");
    this.fault.hidden = !text;
    attribute(this.area, "aria-invalid", !!text);
  }

  /** Sends the text if it is another; whether it was. `slow`: by way of the page alone. */
  send(slow = false) {
    const text = this.area.value;
    if (!this.given || text === this.base) return false;
    this.base = text;
    this.number = Math.max(this.number + 1, Date.now());
    this.wrong("");
    this.sent = { text, n: this.number, run: "", id: 0 };
    if (slow || !this.begin(text)) this.tell();
    else setTimeout((sent) => sent === this.sent && this.tell(), HEARD, this.sent);
    this.render();
    return true;
  }

  /** Begins the run by itself; false where that cannot be. */
  begin(text) {
    const { board, given, sent } = this;
    if (!board.run || !given.settings || text.length > LONG) return false;
    sent.id = ++board.asks.id;
    const settings = { ...given.settings, [given.field]: text };
    return board.link.send({ op: "begin", id: sent.id, run: board.run.id, settings });
  }

  /** The run that was begun. */
  begun({ id, run }) {
    if (id && id === this.sent?.id) this.sent.run = run;
  }

  /** Whether a refusal is of this text: it is said here, and the page keeps the text to be mended. */
  refused(id, words) {
    if (!id || id !== this.sent?.id) return false;
    this.wrong(words);
    this.tell();
    return true;
  }

  /** Called after each drawing: once the figures have the new run's first picture, the page may take its time. */
  drawn() {
    const { board, sent } = this;
    const there = sent?.run && board.run?.id === sent.run && board.frame?.run === board.run;
    if (there && ![...board.figures.values()].some((figure) => figure.dirty && figure.visible)) this.tell();
  }

  /** Lets the page know, once; after the picture that is about to be painted. */
  tell() {
    const { sent } = this;
    if (!sent) return;
    this.sent = null;
    const { text, n, run } = sent;
    const say = () => this.board.setStateValue?.("box", { text, n, run });
    if (run) requestAnimationFrame(() => setTimeout(say));
    else say();
  }
}
