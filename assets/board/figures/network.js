/**
 * Units in layers side by side, each with a small map of what it says everywhere, each weight as a line.
 *
 * @import { NetworkSpec } from "../schema.d.ts"
 * @import { Settings, TileInFocus, UnitTile } from "../types.d.ts"
 * @import { Host } from "./host.d.ts"
 * @import { Layer, NetworkPlan, Part } from "./network_layout.js"
 */

import { flat, isArray } from "../arrays.js";
import { context2d, el, placeBox, placeTip, setAttr, setText, sizeCanvas, usesTouch } from "../dom.js";
import { clamp } from "../numbers.js";
import { Figure } from "./figure.js";
import { NetworkEditor } from "./network_editor.js";
import { COLUMN, givenInputs, networkLayers, networkPlan, partAt, spotOf, weightIndex } from "./network_layout.js";
import { inputName, partText, unitName } from "./network_names.js";
import { paintUnits, paintWeights, UnitSheet } from "./network_paint.js";
import { layerHead, networkTool } from "./network_tools.js";
import { inputTile, unitTile } from "./unit_tile.js";

const HEAD = { touch: 82, mouse: 54 }; // px over the units for a layer's name and tools
const TIP = 40; // px over a part that its tip needs
const INPUT = -2; // index of what is in focus when it is an input
/** @type {Record<string, [number, number]>} Layers to the right, and units down. */
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @extends {Figure<NetworkSpec>} */
export class NetworkFigure extends Figure {
  /**
   * @param {Host} host
   * @param {NetworkSpec} spec
   */
  constructor(host, spec) {
    super(host, spec);
    this.box = el("div", "tr-network", { tabindex: "0", role: "application" });
    this.canvas = el("canvas", "tr-canvas", { "aria-hidden": "true" });
    this.heads = el("div", "tr-heads");
    this.ring = el("div", "tr-cursor");
    this.tip = el("div", "tr-tip", { role: "status", "aria-live": "polite" });
    this.ring.hidden = this.tip.hidden = true;
    this.editor = new NetworkEditor(
      (entries) => this.submit(entries),
      () => this.close(),
    );
    this.box.append(this.canvas, this.ring, this.heads, this.tip, this.editor.element);
    this.body.append(this.box);
    /** @type {Part | null} What is pointed at. */
    this.at = null;
    /** @type {Record<string, any>} The data that is drawn. */
    this.shown = {};
    /** @type {Layer[]} */
    this.layers = [];
    /** @type {NetworkPlan | null} */
    this.plan = null;
    /** @type {(UnitTile | null)[]} The inputs' own maps. */
    this.inputTiles = [];
    this.sheet = new UnitSheet();
    this.box.addEventListener("pointermove", (event) => this.point(this.hit(event)));
    this.box.addEventListener("pointerleave", () => this.point(null));
    this.box.addEventListener("blur", () => !this.editor.open && this.point(null));
    this.box.addEventListener("click", (event) => {
      if (event.target === this.canvas) this.press(this.hit(event));
    });
    this.box.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {NetworkSpec} spec */
  respec(spec) {
    super.respec(spec);
    this.inputTiles = spec.layers[0].units.map(({ still }) => (still ? inputTile(still) : null));
    const choose = (/** @type {Settings} */ settings) => this.host.choose(settings);
    setAttr(this.box, "aria-label", spec.alt || spec.title || spec.id);
    this.tools.replaceChildren(...spec.tools.map((tool) => networkTool(tool, choose)));
    this.heads.replaceChildren(...spec.layers.map((layer) => layerHead(layer, choose)));
    this.close();
  }

  patched() {
    super.patched();
    this.redrawFollowers();
  }

  /** Has the maps drawn again that show the unit that is pointed at. */
  redrawFollowers() {
    for (const figure of this.host.figuresShowing(this.spec.id)) figure.dirty = true;
  }

  /** The inputs that the network is given, by their place in the drawing. */
  get given() {
    return givenInputs(this.spec);
  }

  /**
   * The weight from an input to a unit; with input -1 the unit's bias.
   *
   * @param {number} layer
   * @param {number} unit
   * @param {number} input
   * @returns {number}
   */
  weight(layer, unit, input) {
    return flat(this.shown.weights)[weightIndex(this.layers, layer, unit, input)];
  }

  draw() {
    const { body, spec, canvas } = this;
    if (!body.clientWidth) return false;
    this.shown = this.data;
    const layers = (this.layers = networkLayers(Array.from(flat(this.shown.sizes), Number)));
    if (layers.length < 2) return true;
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(body.clientWidth, layers.length * COLUMN);
    const height = body.clientHeight;
    if (sizeCanvas(canvas, width, height, ratio)) this.box.style.width = `${width}px`;
    const plan = (this.plan = networkPlan(spec, layers, {
      width,
      height,
      head: usesTouch() ? HEAD.touch : HEAD.mouse,
    }));
    const heads = /** @type {HTMLElement[]} */ ([...this.heads.children]);
    heads.forEach((head, layer) => {
      head.style.left = `${COLUMN / 2 + (layer * (width - COLUMN)) / Math.max(1, heads.length - 1)}px`;
    });
    const context = context2d(canvas);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const weights = flat(this.shown.weights);
    const picture = { context, spec, plan, layers, given: this.given, weights, theme: this.host.theme };
    paintWeights(picture);
    this.updateSheet();
    paintUnits(picture, this.sheet);
    this.mark();
    return true;
  }

  updateSheet() {
    const { tiles } = this.shown;
    const count = isArray(tiles) ? tiles.shape[0] : 0;
    /** @type {[number, UnitTile | null][]} */
    const inputs = this.inputTiles.map((tile, place) => [-1 - place, tile]);
    /** @type {[number, UnitTile | null][]} */
    const units = Array.from({ length: count }, (_, index) => [index, unitTile(this.shown, index)]);
    this.sheet.update([...inputs, ...units]);
  }

  /**
   * The centre of a unit; inputs are counted as the network is given them.
   *
   * @param {number} layer
   * @param {number} unit
   */
  spot(layer, unit) {
    return this.plan && spotOf(this.plan, this.given, layer, unit);
  }

  /** @param {MouseEvent} event */
  hit({ clientX, clientY }) {
    if (!this.plan) return null;
    const box = this.canvas.getBoundingClientRect();
    return partAt(this.plan, this.layers, this.given, [clientX - box.left, clientY - box.top]);
  }

  /**
   * Index in the tiles of a unit that is pointed at, or -1.
   *
   * @param {Part | null} part
   */
  unitIndex(part) {
    const isUnit = part && part.layer && part.input === undefined && this.layers.length;
    return isUnit ? this.layers[part.layer].first + part.unit : -1;
  }

  /**
   * The unit or input that is pointed at.
   *
   * @returns {TileInFocus | null}
   */
  tileInFocus() {
    const { at } = this;
    if (!at || at.input !== undefined) return null;
    const unit = this.unitIndex(at);
    const tile = at.layer ? unitTile(this.data, unit) : (this.inputTiles[at.unit] ?? null);
    if (!tile) return null;
    const { values, rows, columns, bytes, most } = tile;
    return {
      tiles: { values, n: 1, rows, columns, depth: 1 },
      caption: this.unitName(at),
      index: at.layer ? unit : INPUT,
      unitSpan: bytes && [-most, most],
    };
  }

  /** @param {Part} part */
  unitName(part) {
    return unitName(this.spec, this.layers.length, part);
  }

  /** @param {Part | null} part */
  point(part) {
    if (this.editor.open) return;
    const before = this.at;
    this.at = part;
    if (JSON.stringify(before) === JSON.stringify(part)) return;
    this.mark();
    this.redrawFollowers();
    this.host.schedule();
  }

  /** Frames and names what is pointed at. */
  mark() {
    const { at, plan } = this;
    this.tip.hidden = this.ring.hidden = true;
    if (!at || !plan || at.layer >= plan.spots.length || at.unit >= plan.spots[at.layer].length) return;
    let [x, y] = plan.spots[at.layer][at.unit];
    if (at.input === undefined) {
      const { side } = plan;
      placeBox(this.ring, x - side / 2, y - side / 2, side, side);
      y -= side / 2;
    } else {
      const from = this.spot(at.layer - 1, at.input);
      if (!from) return;
      [x, y] = [(x + from[0]) / 2, (y + from[1]) / 2 - 6];
    }
    setText(this.tip, this.partText(at));
    this.tip.hidden = this.editor.open;
    placeTip(this.tip, { x, above: y > TIP ? y - 8 : null, below: y + (plan.side + 14), width: plan.width });
  }

  /** @param {Part} part */
  partText(part) {
    const { spec, layers } = this;
    const { layer, unit, input = -1 } = part;
    const weight = layer ? this.weight(layer, unit, input) : 0;
    return partText(spec, layers.length, part, weight, flat(this.data.scale)[this.unitIndex(part)]);
  }

  /** @param {Part | null} part */
  press(part) {
    if (!part) this.close();
    else if (part.layer === 0) {
      const { sets } = this.spec.layers[0].units[part.unit];
      if (sets) this.host.choose(sets);
    } else if (this.spec.edits) this.edit(part);
  }

  /**
   * Opens the form with the weight of a line, or with all of a unit's.
   *
   * @param {Part} part
   */
  edit(part) {
    if (!this.plan) return;
    this.close();
    this.point(part);
    const { layer, unit } = part;
    const { words } = this.spec;
    const inputs = part.input === undefined ? [-1, ...Array(this.layers[layer - 1].units).keys()] : [part.input];
    const fields = inputs.map((input) => ({
      key: `${layer}.${unit}.${input < 0 ? "b" : input}`,
      label: input < 0 ? words.bias : inputName(this.spec, this.layers.length, layer, input),
      value: Number(this.weight(layer, unit, input).toFixed(6)),
    }));
    const name = this.unitName(part);
    this.editor.show(part.input === undefined ? name : `→ ${name}`, fields, words);
    this.tip.hidden = true;
    this.editor.place(this.plan.spots[layer][unit], this.plan.side, this.body);
  }

  /** @param {string[]} entries "layer.unit.input=value" */
  submit(entries) {
    this.close();
    if (entries.length && this.spec.edits) this.host.choose({ [this.spec.edits]: entries });
    this.box.focus();
  }

  close() {
    if (!this.editor.open) return;
    this.editor.hide();
    this.at = null;
    this.mark();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.target !== this.box) {
      if (event.key === "Escape" && this.editor.open) {
        event.stopPropagation();
        this.close();
        this.box.focus();
      }
      return;
    }
    const move = MOVES[event.key];
    const press = event.key === "Enter" || event.key === " ";
    if ((!move && !press) || !this.plan) return;
    event.preventDefault();
    event.stopPropagation();
    if (press) {
      if (this.at) this.press(this.at);
      return;
    }
    const { spots } = this.plan;
    if (!this.at) {
      this.point({ layer: 0, unit: 0 });
      return;
    }
    const layer = clamp(this.at.layer + move[0], 0, spots.length - 1);
    this.point({ layer, unit: clamp(this.at.unit + move[1], 0, spots[layer].length - 1) });
  }
}
