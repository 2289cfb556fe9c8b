/**
 * One board: the figures of a lesson, the runs they show, the player, and the connection to the server.
 *
 * @import { Bilingual, PageData } from "./schema.d.ts"
 * @import { BoardSpec, Component, Settings } from "./types.d.ts"
 */

import { resolveUrl } from "./addresses.js";
import { Connection } from "./connection.js";
import { el, setAttr } from "./dom.js";
import { FigureGrid } from "./figure_grid.js";
import { figureHost } from "./figure_host.js";
import { FrameLoader } from "./frames.js";
import { handleKey } from "./keys.js";
import { MessageHandler } from "./message_handler.js";
import { Notices } from "./notices.js";
import { Player } from "./player.js";
import { Playhead } from "./playhead.js";
import { Queries } from "./queries.js";
import { Renderer } from "./renderer.js";
import { RunSet } from "./run_set.js";
import { Scheduler } from "./scheduler.js";
import { SpecLoader } from "./spec_loader.js";
import { loadStyle } from "./stylesheet.js";
import { fillTemplate, inLanguage } from "./texts.js";
import { TextBox } from "./text_box.js";
import { themeOf, ThemeWatcher } from "./theme.js";
import { Transport } from "./transport.js";

export class Board {
  /**
   * @param {HTMLElement} parent
   * @param {Component} component
   */
  constructor(parent, component) {
    this.parent = parent;
    /** The component's key. */
    this.name = "";
    /** @type {ReturnType<typeof setTimeout> | 0} Runs while the board is off the page and may come back. */
    this.leaving = 0;
    this.gone = false;
    /** @type {BoardSpec} */
    this.spec = { lesson: "", figures: [], names: {}, ui: {}, language: "en" };
    this.specLoader = new SpecLoader((spec) => this.setSpec(spec));
    /** @type {PageData} */
    this.data = component.data;
    /** @type {Component["setStateValue"] | null} */
    this.setStateValue = null;
    /** @type {string | null | undefined} The run that the page asked for last. */
    this.pageRun = undefined;
    /** Numbers what is chosen, so that the same choice twice is two. */
    this.choices = Date.now();
    this.plotlyUrl = "";
    this.playhead = new Playhead();
    this.renderer = new Renderer(this);
    this.messages = new MessageHandler(this);
    this.scheduler = new Scheduler((now) => this.renderer.pass(now));
    this.frameLoader = new FrameLoader(() => this.changed());
    this.notices = new Notices((key) => this.say(key));
    this.connection = this.makeConnection();
    this.runs = new RunSet({
      watch: (run) => this.connection.watch(run),
      leave: (run) => this.connection.leave(run),
    });
    this.queries = this.makeQueries();
    this.transport = new Transport({
      state: () => ({ run: this.run, playhead: this.playhead }),
      send: (message) => this.connection.send(message),
      fork: (run, step) => this.tellPage("fork", { run, step }),
      changed: () => this.changed(),
      schedule: () => this.schedule(),
    });
    this.player = new Player(this.transport, (key, values) => this.say(key, values));
    this.textBox = this.makeTextBox();
    this.root = el("div", "tr-board", { "data-waiting": "" });
    this.grid = new FigureGrid(figureHost(this), () => this.schedule());
    const dock = el("div", "tr-dock", {}, this.notices.element, this.player.element);
    this.root.append(this.textBox.element, this.grid.element, dock);
    parent.append(this.root);
    this.theme = themeOf(this.root);
    this.onKey = (/** @type {KeyboardEvent} */ event) => {
      if (this.root.isConnected && handleKey(event, this.transport, this.player.scrubber)) this.changed();
    };
    document.addEventListener("keydown", this.onKey);
    this.themeWatcher = new ThemeWatcher(() => this.updateTheme());
    this.themeWatcher.watch(parent);
    this.update(component);
    this.connection.open();
  }

  makeConnection() {
    return new Connection({
      ticket: () => this.data.ticket || "",
      opened: () => {
        for (const run of this.runs.values()) this.connection.watch(run);
        this.queries.reconnect();
        this.schedule();
      },
      received: (header, arrays, bytes) => this.messages.handle(header, arrays, bytes),
      broken: () => this.textBox.tellPage(),
      changed: () => this.schedule(),
      expired: () => this.showExpired(),
    });
  }

  makeQueries() {
    return new Queries({
      send: (message) => this.connection.send(message),
      changed: () => this.changed(),
      landed: () => this.schedule(),
      dropped: (key) => {
        this.notices.dismiss(`refused ${key}`);
        for (const figure of this.grid.figures.values()) figure.dropAnswer(key);
      },
    });
  }

  makeTextBox() {
    return new TextBox({
      say: (key, values) => this.say(key, values),
      begin: (settings) => {
        if (!this.run) return 0;
        const id = this.queries.nextId();
        return this.connection.send({ op: "begin", id, run: this.run.id, settings }) ? id : 0;
      },
      isDrawn: (run) => this.renderer.isDrawn(run),
      tellPage: (value) => this.setStateValue?.("box", value),
    });
  }

  // what the page says

  /**
   * A rerun of the page: new data and new ways to call back; the connection and the figures stay.
   *
   * @param {Component} component
   */
  update({ data, setStateValue }) {
    this.data = data;
    this.setStateValue = setStateValue;
    const { assets } = this.data;
    this.plotlyUrl = resolveUrl(assets["plotly.min.js"]);
    loadStyle(assets["board.css"], this.root, () => {
      this.updateTheme();
      this.schedule();
    });
    this.updateTheme();
    setAttr(this.root, "data-dark", this.theme.dark);
    if (this.connection.renew()) this.notices.dismiss("expired");
    this.specLoader.load(this.data.spec);
    const wanted = this.data.run ?? null;
    if (wanted !== this.pageRun) {
      // a rerun that was on its way while this page moved to a copy still names the old run: that is no change
      this.pageRun = wanted;
      // nor is what a page says that has yet to hear of the last text
      if (this.textBox.isKnownTo(this.data.box) && wanted !== (this.run?.id ?? null)) this.show(wanted);
    }
    this.queries.setPageQueries(this.data.asks);
    this.textBox.update(this.data.box);
    this.changed();
  }

  /**
   * Puts the board into another element: Streamlit made a new one for the same component.
   *
   * @param {HTMLElement} parent
   */
  adopt(parent) {
    this.parent = parent;
    parent.append(this.root);
    this.themeWatcher.watch(parent);
  }

  updateTheme() {
    const theme = themeOf(this.root);
    if (theme.key === this.theme.key) return;
    this.theme = theme;
    setAttr(this.root, "data-dark", theme.dark);
    for (const figure of this.grid.figures.values()) figure.changed();
    this.changed();
  }

  /** @param {BoardSpec} spec */
  setSpec(spec) {
    const { language } = this.spec;
    this.spec = { ...{ names: {}, ui: {}, figures: [] }, ...spec };
    this.showExpired();
    setAttr(this.root, "lang", this.spec.language === "zh" ? "zh-CN" : this.spec.language || "en");
    this.grid.update(this.spec.figures, language !== this.spec.language);
    this.root.removeAttribute("data-waiting");
    this.player.translate();
    this.textBox.render();
    if (this.run) this.messages.describe(this.run);
    this.changed();
  }

  /**
   * A text of the interface, with {name} in it replaced.
   *
   * @param {string} key
   * @param {Record<string, unknown>} [values]
   */
  say(key, values = {}) {
    return fillTemplate(this.spec.ui?.[key] ?? "", values);
  }

  /**
   * The words of the language in force.
   *
   * @param {Bilingual | null | undefined} words
   */
  translate(words) {
    return inLanguage(words, this.spec.language);
  }

  /** Says that the ticket is no longer good: at once, or as soon as the words for it are here. */
  showExpired() {
    if (this.connection.refused) this.notices.show("expired", this.say("expired"), "error");
  }

  // runs

  get run() {
    return this.runs.current;
  }

  /** The last step of the run, or -1. */
  get head() {
    return this.runs.head;
  }

  /**
   * Leaves the run on the board and shows another from where it stands.
   *
   * @param {string | null} id
   * @param {boolean} [watched] whether the server sends it already
   */
  show(id, watched = false) {
    this.runs.replace(id, watched);
    this.notices.clear();
    this.queries.changeRun();
    const { speed } = this.playhead;
    this.playhead = new Playhead();
    this.playhead.speed = speed;
    this.renderer.changeRun();
    this.changed();
  }

  /** @param {Settings} settings that the page is to take over */
  choose(settings) {
    this.tellPage("choose", settings);
  }

  /**
   * @param {"choose" | "fork"} name
   * @param {Settings} value
   */
  tellPage(name, value) {
    this.choices = Math.max(this.choices + 1, Date.now());
    this.setStateValue?.(name, { ...value, n: this.choices });
  }

  // drawing

  /** There is another moment to show, or another way to show it. */
  changed() {
    this.renderer.moved = true;
    this.schedule();
  }

  schedule() {
    this.scheduler.schedule();
  }

  /** Whether the board shows the newest it has: see `settled`. */
  get isSettled() {
    return this.specLoader.loaded && this.renderer.isSettled;
  }

  /**
   * Resolves when the board shows the newest it has: the spec is loaded, the playhead rests, the picture that belongs
   * to its step is here, every figure in sight is drawn, and the readings and the player tell of it.
   *
   * @returns {Promise<void>}
   */
  get settled() {
    return (async () => {
      while (!this.isSettled) await new Promise(requestAnimationFrame);
    })();
  }

  destroy() {
    this.gone = true;
    this.specLoader.stop();
    this.scheduler.stop();
    this.renderer.stop();
    document.removeEventListener("keydown", this.onKey);
    this.themeWatcher.stop();
    this.connection.close();
    this.grid.destroy();
    this.root.remove();
  }

  /** @returns {Map<string, import("./figures/figure.js").Figure>} */
  get figures() {
    return this.grid.figures;
  }

  /** How much has happened, for tests and measurements. */
  get counters() {
    return {
      connections: this.connection.connections,
      messages: this.connection.messages,
      fetched: this.frameLoader.count,
      drawn: Object.fromEntries([...this.figures].map(([id, figure]) => [id, figure.drawn])),
    };
  }
}
