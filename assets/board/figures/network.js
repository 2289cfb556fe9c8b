/** A network's units and weights. */

import { flat, isArray } from "../arrays.js";
import { RAMPS, place } from "../colors.js";
import { attribute, make, write } from "../dom.js";
import { Figure } from "./figure.js";
import { clamp, exact, number } from "../numbers.js";

const HEAD = matchMedia("(pointer: coarse)").matches ? 82 : 54; // px over the units for a layer's name and tools
const COLUMN = 64; // px that a layer needs at least
const THICK = 4.5; // px of the largest weight's line
const REACHED = 6; // px from a line that still point at it

export class NetworkFigure extends Figure {
  setup() {
    this.box = make("div", "tr-network", { tabindex: "0", role: "application" });
    this.canvas = make("canvas", "tr-canvas", { "aria-hidden": "true" });
    this.heads = make("div", "tr-heads");
    this.ring = make("div", "tr-cursor");
    this.tip = make("div", "tr-tip", { role: "status", "aria-live": "polite" });
    this.form = make("form", "tr-edit");
    this.box.append(this.canvas, this.ring, this.heads, this.tip, this.form);
    this.body.append(this.box);
    this.at = null; // what is pointed at: {layer, unit} or {layer, unit, input}
    this.form.hidden = this.ring.hidden = this.tip.hidden = true;
    this.box.addEventListener("pointermove", (event) => this.point(this.hit(event)));
    this.box.addEventListener("pointerleave", () => this.point(null));
    this.box.addEventListener("blur", () => this.form.hidden && this.point(null));
    this.box.addEventListener("click", (event) => event.target === this.canvas && this.press(this.hit(event)));
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
  }

  respec(spec) {
    super.respec(spec);
    this.stills = spec.layers[0].units.map(({ still }) => {
      if (!still) return null;
      const values = still.flat();
      return {
        values,
        rows: still.length,
        columns: still[0].length,
        bytes: false,
        most: Math.max(...values.map(Math.abs)) || 1,
      };
    });
    attribute(this.box, "aria-label", spec.alt || spec.title || spec.id);
    this.tools.replaceChildren(...spec.tools.map((tool) => this.tool(tool)));
    this.heads.replaceChildren(
      ...spec.layers.map(({ title, tools }) => {
        const head = make("div", "tr-column", {}, make("span"));
        write(head.firstChild, title);
        if (tools?.length) head.append(make("span", "tr-column-tools", {}, ...tools.map((tool) => this.tool(tool))));
        return head;
      }),
    );
    this.close();
  }

  /** A button or a list, whose choice is the page's. */
  tool({ label, help, sets, options, at }) {
    if (options) {
      const list = make("select", "tr-tool", { "aria-label": help, title: help });
      for (const one of options) list.append(make("option", "", {}, one.label));
      list.selectedIndex = at;
      list.onchange = () => this.board.choose(options[list.selectedIndex].sets);
      return list;
    }
    const button = make("button", "tr-tool", { type: "button", "aria-label": help, title: help }, label);
    button.disabled = !sets;
    button.onclick = () => this.board.choose(sets);
    return button;
  }

  patched() {
    super.patched();
    for (const map of this.shadows) map.dirty = true;
  }

  /** The maps that show the unit that is pointed at. */
  get shadows() {
    return [...this.board.figures.values()].filter((figure) => figure.spec.shows === this.spec.id);
  }

  /** The layers as {units, first, start}: how many, the place of the first in tiles, and of the weights into them. */
  get structure() {
    const sizes = Array.from(flat(this.shown.sizes), Number);
    let first = -sizes[0];
    let start = 0;
    return sizes.map((units, layer) => {
      const one = { units, first, start };
      first += units;
      if (layer) start += units * (sizes[layer - 1] + 1);
      return one;
    });
  }

  /** The inputs that the network is given, by their place in the drawing. */
  get given() {
    return this.spec.layers[0].units.flatMap((unit, place) => (unit.off ? [] : [place]));
  }

  weight(layer, unit, input) {
    const { start, units } = this.shownLayers[layer];
    const before = this.shownLayers[layer - 1].units;
    return flat(this.shown.weights)[input < 0 ? start + units * before + unit : start + unit * before + input];
  }

  draw() {
    const { body, spec } = this;
    if (!body.clientWidth) return false;
    this.shown = this.data; // once a drawing: it is asked for each weight
    const layers = (this.shownLayers = this.structure);
    if (layers.length < 2) return true;
    const ratio = window.devicePixelRatio || 1;
    const wide = Math.max(body.clientWidth, layers.length * COLUMN);
    const tall = body.clientHeight;
    if (this.canvas.width !== Math.round(wide * ratio) || this.canvas.height !== Math.round(tall * ratio)) {
      this.canvas.width = Math.round(wide * ratio);
      this.canvas.height = Math.round(tall * ratio);
      this.canvas.style.cssText = `width:${wide}px;height:${tall}px`;
      this.box.style.width = `${wide}px`;
    }
    // every input that could be given is drawn; of the other layers those that this moment's network has
    const counts = layers.map(({ units }, layer) => (layer ? units : spec.layers[0].units.length));
    const pitch = (wide - COLUMN) / (layers.length - 1);
    const room = (tall - HEAD - 4) / Math.max(...counts);
    const named = (tall - HEAD - 4) / counts[0] - 17; // an input's name stands under it
    const side = Math.floor(clamp(Math.min(room - 5, named, pitch * 0.62), 14, 46));
    const spots = counts.map((count, layer) => {
      const step = Math.min((tall - HEAD - 4) / count, side + 22);
      const top = HEAD + (tall - HEAD - count * step) / 2;
      return Array.from({ length: count }, (_, unit) => [COLUMN / 2 + layer * pitch, top + (unit + 0.5) * step]);
    });
    this.plan = { spots, side, wide };
    [...this.heads.children].forEach((head, layer) => {
      head.style.left = `${COLUMN / 2 + (layer * (wide - COLUMN)) / Math.max(1, this.heads.children.length - 1)}px`;
    });
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, wide, tall);
    this.lines(context);
    this.units(context);
    this.mark();
    return true;
  }

  /** The place of a unit's middle; inputs are counted as the network is given them. */
  spot(layer, unit) {
    return this.plan.spots[layer][layer ? unit : this.given[unit]] || null;
  }

  lines(context) {
    const { side } = this.plan;
    const weights = flat(this.shown.weights);
    let most = 1e-12;
    for (let layer = 1; layer < this.shownLayers.length; layer++) {
      const { start, units } = this.shownLayers[layer];
      const size = units * this.shownLayers[layer - 1].units;
      for (let i = start; i < start + size; i++)
        if (Math.abs(weights[i]) > most && Math.abs(weights[i]) < Infinity) most = Math.abs(weights[i]);
    }
    this.most = most;
    context.lineCap = "butt";
    for (let layer = 1; layer < this.shownLayers.length; layer++) {
      const before = this.shownLayers[layer - 1].units;
      for (let unit = 0; unit < this.shownLayers[layer].units; unit++) {
        for (let input = 0; input < before; input++) {
          const [a, b] = [this.spot(layer - 1, input), this.spot(layer, unit)];
          const value = this.weight(layer, unit, input);
          if (!a || !b || !Number.isFinite(value)) continue;
          const size = Math.abs(value) / most;
          const middle = (a[0] + b[0]) / 2;
          context.beginPath();
          context.moveTo(a[0] + side / 2, a[1]);
          context.bezierCurveTo(middle, a[1], middle, b[1], b[0] - side / 2, b[1]);
          context.lineWidth = 0.4 + THICK * size;
          context.globalAlpha = 0.25 + 0.75 * Math.min(1, 2 * size);
          context.strokeStyle = value < 0 ? "#e07b16" : "#2f86d6";
          context.stroke();
        }
      }
    }
    context.globalAlpha = 1;
  }

  units(context) {
    const { spots, side } = this.plan;
    const { theme } = this.board;
    const atlas = this.painted();
    context.font = `11px ${theme.font}`;
    context.textBaseline = "middle";
    spots.forEach((column, layer) => {
      column.forEach(([x, y], place) => {
        const unit =
          this.spec.layers[layer ? (layer === spots.length - 1 ? this.spec.layers.length - 1 : layer) : 0]?.units[
            place
          ] || {};
        const tile = layer ? this.shownLayers[layer].first + place : -1 - place;
        context.globalAlpha = unit.off ? 0.35 : 1;
        if (atlas.has(tile)) context.drawImage(this.sheet, ...atlas.get(tile), x - side / 2, y - side / 2, side, side);
        context.strokeStyle = unit.colour || theme.text;
        context.lineWidth = unit.colour ? 2.5 : 0.8;
        context.globalAlpha *= unit.colour ? 1 : 0.55;
        context.strokeRect(x - side / 2, y - side / 2, side, side);
        if (unit.label && !layer) {
          context.globalAlpha = unit.off ? 0.55 : 1;
          context.fillStyle = theme.text;
          context.textAlign = "center";
          context.fillText(unit.label, x, y + side / 2 + 7);
        }
        context.globalAlpha = 1;
        if (!layer) return;
        const bias = this.weight(layer, place, -1);
        context.fillStyle = bias < 0 ? "#e07b16" : "#2f86d6"; // the bias: a small square at the lower left
        const grain = Math.round(clamp(3 + 3 * Math.min(1, Math.abs(bias)), 3, 6));
        context.fillRect(x - side / 2 - grain - 1, y + side / 2 - grain, grain, grain);
      });
    });
  }

  /** A unit's map as {values, rows, columns, low, high}: bytes, or an input's own numbers. */
  tileOf(index, data = this.data) {
    const { tiles, scale } = data;
    if (!isArray(tiles) || index < 0 || index >= tiles.shape[0]) return null;
    const [, rows, columns] = tiles.shape;
    return {
      values: tiles.values.subarray(index * rows * columns, (index + 1) * rows * columns),
      rows,
      columns,
      bytes: true,
      most: flat(scale)[index],
    };
  }

  stillOf(place) {
    return this.stills[place] ?? null;
  }

  /** Paints the maps of all units and inputs on one sheet, below each other: one upload a drawing, and not one a unit.

      Returns where each lies, by the unit's place in `tiles` or -1 - the input's: [x, y, width, height]. */
  painted() {
    const places = new Map();
    const found = [];
    const inputs = this.spec.layers[0].units.map((_, place) => [-1 - place, this.stillOf(place)]);
    const count = isArray(this.shown.tiles) ? this.shown.tiles.shape[0] : 0;
    const units = Array.from({ length: count }, (_, index) => [index, this.tileOf(index, this.shown)]);
    let [wide, tall] = [1, 0];
    for (const [index, tile] of [...inputs, ...units]) {
      if (!tile) continue;
      places.set(index, [0, tall, tile.columns, tile.rows]);
      found.push([tall, tile]);
      wide = Math.max(wide, tile.columns);
      tall += tile.rows;
    }
    this.sheet ??= document.createElement("canvas");
    if (this.sheet.width !== wide || this.sheet.height !== Math.max(1, tall) || !this.image) {
      this.sheet.width = wide;
      this.sheet.height = Math.max(1, tall);
      this.image = new ImageData(wide, Math.max(1, tall));
    }
    const out = new Uint32Array(this.image.data.buffer);
    const table = (NetworkFigure.table ??= Uint32Array.from({ length: 256 }, (_, i) => {
      const [r, g, b] = RAMPS.diverging.subarray(3 * i, 3 * i + 3);
      return (255 << 24) | (b << 16) | (g << 8) | r; // as ImageData lies in memory
    }));
    for (const [top, { values, columns, bytes, most }] of found) {
      for (let i = 0, at = top * wide; i < values.length; i++) {
        out[at++] = table[bytes ? values[i] : place(values[i], -most, most)];
        if ((i + 1) % columns === 0) at += wide - columns;
      }
    }
    this.sheet.getContext("2d").putImageData(this.image, 0, 0);
    return places;
  }

  hit(event) {
    if (!this.plan || !this.shownLayers) return null;
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const { spots, side } = this.plan;
    for (let layer = 0; layer < spots.length; layer++) {
      const unit = spots[layer].findIndex(
        (spot) => Math.abs(x - spot[0]) <= side / 2 + 1 && Math.abs(y - spot[1]) <= side / 2 + 1,
      );
      if (unit >= 0) return { layer, unit };
    }
    let found = null;
    let nearest = REACHED;
    for (let layer = 1; layer < spots.length; layer++) {
      const [from, to] = [spots[layer - 1][0][0] + side / 2, spots[layer][0][0] - side / 2];
      if (x < from || x > to) continue;
      const part = (x - from) / (to - from);
      let [low, high] = [0, 1]; // how far along the curves this x lies: the same for all of a gap
      for (let i = 0; i < 20; i++) {
        const t = (low + high) / 2;
        if (1.5 * (1 - t) * t + t ** 3 < part) low = t;
        else high = t;
      }
      const rise = 3 * low ** 2 - 2 * low ** 3;
      for (let unit = 0; unit < this.shownLayers[layer].units; unit++) {
        for (let input = 0; input < this.shownLayers[layer - 1].units; input++) {
          const [a, b] = [this.spot(layer - 1, input), this.spot(layer, unit)];
          if (!a || !b) continue;
          const apart = Math.abs(y - a[1] - (b[1] - a[1]) * rise);
          if (apart < nearest) [nearest, found] = [apart, { layer, unit, input }];
        }
      }
    }
    return found;
  }

  /** The place in `tiles` of the unit that is pointed at, or -1. */
  get pointed() {
    const { at } = this;
    return at && at.layer && at.input === undefined && this.shownLayers
      ? this.shownLayers[at.layer].first + at.unit
      : -1;
  }

  /** What the maps that show this network's units are to show instead of their own: {tile, name}, or null. */
  get lent() {
    const { at } = this;
    if (!at || at.input !== undefined) return null;
    const tile = at.layer ? this.tileOf(this.pointed) : this.stillOf(at.unit);
    return tile && { tile, name: this.name(at), unit: at.layer ? this.pointed : -2 };
  }

  name({ layer, unit }) {
    const { layers, words } = this.spec;
    const last = layer === this.shownLayers.length - 1;
    const own = layers[last ? layers.length - 1 : layer]?.units[unit]?.label;
    if (own && (!layer || last)) return own;
    return (words.unit || "{layer}.{unit}").replace("{layer}", layer).replace("{unit}", unit + 1);
  }

  source(layer, input) {
    return this.name({ layer: layer - 1, unit: layer === 1 ? this.given[input] : input });
  }

  point(at) {
    if (!this.form.hidden) return;
    const before = this.at;
    this.at = at;
    if (JSON.stringify(before) === JSON.stringify(at)) return;
    this.mark();
    for (const map of this.shadows) map.dirty = true;
    this.board.schedule();
  }

  /** The frame and the words of what is pointed at. */
  mark() {
    const { at, plan, spec } = this;
    this.tip.hidden = this.ring.hidden = true;
    if (!at || !plan || at.layer >= plan.spots.length || at.unit >= plan.spots[at.layer].length) return;
    let [x, y] = plan.spots[at.layer][at.unit];
    const { words } = spec;
    if (at.input === undefined) {
      const { side } = plan;
      this.ring.hidden = false;
      this.ring.style.cssText = `left:${x - side / 2}px;top:${y - side / 2}px;width:${side}px;height:${side}px`;
      const unit = at.layer ? null : spec.layers[0].units[at.unit];
      const said = unit
        ? unit.help || unit.label
        : `${this.name(at)} · ${words.bias} ${exact(this.weight(at.layer, at.unit, -1))} · ± ${number(flat(this.data.scale)[this.pointed], "3")}`;
      write(this.tip, said);
      y -= side / 2;
    } else {
      const from = this.spot(at.layer - 1, at.input);
      if (!from) return;
      [x, y] = [(x + from[0]) / 2, (y + from[1]) / 2 - 6];
      write(
        this.tip,
        `${this.source(at.layer, at.input)} → ${this.name(at)} · ${words.weight} ${exact(this.weight(at.layer, at.unit, at.input))}`,
      );
    }
    this.tip.hidden = !this.form.hidden;
    const above = y > 40;
    this.tip.style.top = `${above ? y - 8 : y + (plan.side + 14)}px`;
    this.tip.style.transform = `translate(-50%, ${above ? "-100%" : "0"})`;
    const half = this.tip.offsetWidth / 2;
    this.tip.style.left = `${clamp(x, half, Math.max(half, plan.wide - half))}px`;
  }

  press(at) {
    if (!at) return this.close();
    if (at.layer === 0) {
      const { sets } = this.spec.layers[0].units[at.unit];
      if (sets) this.board.choose(sets);
      return undefined;
    }
    return this.spec.edits ? this.open(at) : undefined;
  }

  /** A small form with the weight of a line, or with all of a unit's. */
  open(at) {
    this.close();
    this.point(at);
    const { layer, unit } = at;
    const inputs = at.input === undefined ? [-1, ...Array(this.shownLayers[layer - 1].units).keys()] : [at.input];
    const { words } = this.spec;
    const rows = inputs.map((input) => {
      const value = Number(this.weight(layer, unit, input).toFixed(6));
      const field = make("input", "", { type: "number", step: "any", min: -999, max: 999, value });
      field.dataset.key = `${layer}.${unit}.${input < 0 ? "b" : input}`;
      field.dataset.before = String(value);
      return make("label", "", {}, make("span", "", {}, input < 0 ? words.bias : this.source(layer, input)), field);
    });
    const save = make("button", "tr-send", { type: "submit" }, words.set);
    const away = make("button", "tr-close", { type: "button", "aria-label": words.close }, "×");
    away.onclick = () => this.close();
    this.form.replaceChildren(
      make("b", "", {}, at.input === undefined ? this.name(at) : `→ ${this.name(at)}`),
      away,
      ...rows,
      save,
    );
    this.form.hidden = false;
    this.tip.hidden = true;
    const [x, y] = this.plan.spots[layer][unit];
    const scrolled = this.body.scrollLeft;
    const { offsetWidth: wide, offsetHeight: tall } = this.form;
    this.form.style.left = `${clamp(x - wide - this.plan.side, scrolled, Math.max(scrolled, scrolled + this.body.clientWidth - wide))}px`;
    this.form.style.top = `${clamp(y - tall / 2, 0, Math.max(0, this.body.clientHeight - tall))}px`;
    this.form.querySelector("input").select();
  }

  /** What was changed in the form is chosen. */
  send() {
    const changed = [...this.form.querySelectorAll("input")].filter(
      (field) => field.value !== "" && Number(field.value) !== Number(field.dataset.before),
    );
    const entries = changed.map((field) => `${field.dataset.key}=${Number(Number(field.value).toFixed(6))}`);
    this.close();
    if (entries.length) this.board.choose({ [this.spec.edits]: entries });
    this.box.focus();
  }

  close() {
    if (this.form.hidden) return;
    this.form.hidden = true;
    this.form.replaceChildren();
    this.at = null;
    this.mark();
  }

  key(event) {
    if (event.target !== this.box) {
      if (event.key === "Escape" && !this.form.hidden) {
        event.stopPropagation();
        this.close();
        this.box.focus();
      }
      return;
    }
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const press = event.key === "Enter" || event.key === " ";
    if ((!move && !press) || !this.plan) return;
    event.preventDefault();
    event.stopPropagation();
    if (press) {
      if (this.at) this.press(this.at);
      return;
    }
    const { spots } = this.plan;
    if (!this.at) return void this.point({ layer: 0, unit: 0 });
    const layer = clamp(this.at.layer + move[0], 0, spots.length - 1);
    this.point({ layer, unit: clamp(this.at.unit + move[1], 0, spots[layer].length - 1) });
  }
}
