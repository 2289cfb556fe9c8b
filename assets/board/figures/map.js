/** Tiles of coloured cells. */

import { flat, isArray, same } from "../arrays.js";
import { RAMPS, RED, gradient, light, place } from "../colors.js";
import { make, write } from "../dom.js";
import { Figure } from "./figure.js";
import { NetworkFigure } from "./network.js";
import { clamp, exact, number, short } from "../numbers.js";
import { reading } from "../readings.js";

export class MapFigure extends Figure {
  setup() {
    this.box = make("div", "tr-map", { tabindex: "0", role: "application" });
    this.canvas = make("canvas", "tr-canvas", { "aria-hidden": "true" });
    this.cursor = make("div", "tr-cursor");
    this.selected = make("div", "tr-selected");
    this.tip = make("div", "tr-tip", { role: "status", "aria-live": "polite" });
    this.scale = make("div", "tr-scale", { "aria-hidden": "true" });
    this.low = make("span");
    this.bar = make("i");
    this.high = make("span");
    this.scale.append(this.low, this.bar, this.high);
    this.empty = make("p", "tr-empty");
    this.box.append(this.canvas, this.selected, this.cursor, this.tip, this.scale);
    this.body.append(this.box, this.empty);
    this.at = null; // [tile, row, column] under the cursor
    this.hide();
    this.selected.hidden = true;
    this.box.addEventListener("pointermove", (event) => this.point(this.hit(event), event));
    this.box.addEventListener("pointerleave", () => this.hide());
    this.box.addEventListener("blur", () => this.hide());
    this.box.addEventListener("pointerdown", (event) => this.drawOn(event));
    this.box.addEventListener("click", (event) => {
      const at = this.draws ? null : this.hit(event);
      if (at) (this.point(at), this.choose(at));
    });
    this.box.addEventListener("keydown", (event) => this.key(event));
  }

  respec(spec) {
    super.respec(spec);
    this.box.setAttribute("aria-label", spec.alt || spec.title || spec.id);
    this.names = this.captions();
  }

  /** The names of the tiles; those that are readings say something else at another moment. */
  captions() {
    const { spec, past, board, say, source } = this;
    if (this.lent) return [this.lent.name];
    const tiles = source ? [source.spec.tiles[source.chosen] ?? ""] : spec.tiles;
    return tiles.map((name) => (name.includes("{") ? reading(name, past || [], board.spec.names || {}, say) : name));
  }

  read() {
    super.read();
    const names = this.captions();
    if (same(names, this.names)) return;
    this.names = names;
    this.dirty = true;
    this.board.schedule();
  }

  /** What a number of the tiles stands for. */
  meant(value) {
    const { span } = this;
    return span ? span[0] + (value / 255) * (span[1] - span[0]) : value;
  }

  /** The map whose picked tile this one shows in full, if it is one that does. */
  get source() {
    const found = this.spec.shows ? this.board.figures.get(this.spec.shows) : null;
    return found instanceof MapFigure ? found : null;
  }

  /** The unit of a network that is pointed at there and shown here, as {tile, name, unit}, or null. */
  get lent() {
    const found = this.spec.shows ? this.board.figures.get(this.spec.shows) : null;
    return found instanceof NetworkFigure ? found.lent : null;
  }

  get colours() {
    return this.lent ? "diverging" : this.spec.colours;
  }

  /** What bytes stand for: from its first to its second number. */
  get span() {
    const { lent } = this;
    return lent ? lent.tile.bytes && [-lent.tile.most, lent.tile.most] : this.spec.span;
  }

  /** The maps that show a tile of this one in full. */
  get shadows() {
    return [...this.board.figures.values()].filter((figure) => figure.spec.shows === this.spec.id);
  }

  patched() {
    super.patched();
    this.follow();
  }

  /** Whoever shows a tile of this map in full has another one to show. */
  follow() {
    for (const figure of this.shadows) {
      figure.names = figure.captions();
      figure.dirty = true;
      this.board.schedule();
    }
  }

  /** The tile picked last, the first until then. */
  get chosen() {
    return Math.min(this.picked?.[0] ?? 0, (this.tiles?.n ?? 1) - 1);
  }

  /** The tiles as {values, n, rows, columns, depth}, or null. */
  get tiles() {
    if (this.source) {
      const all = this.source.tiles;
      if (!all) return null;
      const size = all.rows * all.columns * all.depth;
      const index = this.source.chosen;
      return { ...all, n: 1, values: all.values.subarray(index * size, (index + 1) * size) };
    }
    if (this.lent) return { ...this.lent.tile, n: 1, depth: 1 };
    const tiles = this.data.tiles;
    if (!isArray(tiles)) return null;
    const shape = tiles.shape.length === 2 ? [1, ...tiles.shape] : tiles.shape;
    const [n, rows, columns, depth = 1] = shape;
    return n && rows && columns ? { values: tiles.values, n, rows, columns, depth } : null;
  }

  /** Names of the rows and columns: those that came with the tiles, else the figure's own. */
  get rows() {
    return this.data.rows ?? this.spec.rows;
  }

  get columns() {
    return this.data.columns ?? this.spec.columns;
  }

  /** Lowest and highest value of tile `index`'s colours. */
  limits(tiles, index) {
    const { limits } = this.spec;
    const { colours, span } = this;
    if (span && !Array.isArray(limits)) return span;
    let low = Infinity;
    let high = -Infinity;
    if (Array.isArray(limits)) [low, high] = limits;
    else {
      const size = tiles.rows * tiles.columns;
      const [from, to] = limits === "each" ? [index * size, (index + 1) * size] : [0, tiles.n * size];
      for (let i = from; i < to; i++) {
        const value = tiles.values[i];
        if (value < low && value > -Infinity) low = value;
        if (value > high && value < Infinity) high = value;
      }
      if (low > high) [low, high] = [0, 1];
    }
    if (colours === "diverging") {
      high = Math.max(Math.abs(low), Math.abs(high)) || 1;
      low = -high;
    }
    return [low, high];
  }

  draw() {
    const width = this.body.clientWidth;
    const height = this.body.clientHeight;
    if (!width) return false;
    const tiles = (this.shown = this.tiles);
    write(this.empty, tiles ? "" : this.board.say("no_data"));
    this.box.hidden = !tiles;
    if (!tiles) return true;
    const ratio = window.devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.arrange(context, tiles, width, height, ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.imageSmoothingEnabled = this.spec.smooth;
    const sheet = this.sheet(tiles, ratio);
    for (let index = 0; index < tiles.n; index++) {
      this.tile(context, tiles, index);
      if (sheet) context.drawImage(sheet, ...this.corner(index), sheet.width / ratio, sheet.height / ratio);
    }
    for (const index of flat(this.data.crossed)) if (index < tiles.n) this.cross(context, tiles, Number(index));
    this.stroked(context);
    this.labels(context, tiles);
    this.legend(tiles);
    this.mark();
    if (this.source || this.spec.shows)
      write(this.title, [this.spec.title, this.captions()[0]].filter(Boolean).join(" · "));
    if (this.at) this.point(this.at);
    return true;
  }

  /** The dots of a tile on a canvas of their own, drawn again only when they are others. */
  sheet(tiles, ratio) {
    const { dots } = this.data;
    if (!isArray(dots) || !dots.shape[0]) return null;
    const [wide, tall] = [this.plan.cell * tiles.columns, this.plan.cell * tiles.rows];
    const key = [wide, tall, ratio].join();
    const before = this.dotted;
    if (before?.key === key && before.dots.length === dots.values.length && same(before.dots, dots.values))
      return before.canvas;
    const canvas = before?.canvas ?? document.createElement("canvas");
    canvas.width = Math.round(wide * ratio);
    canvas.height = Math.round(tall * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const radius = clamp(wide / 80, 1.2, 3.2);
    const { palette } = this.spec;
    const kinds = palette.length ? palette.flatMap((_, kind) => [kind, 128 + kind]) : [0, 1, 2, 3];
    for (const kind of kinds) {
      context.beginPath();
      for (let i = 0; i < dots.shape[0]; i++) {
        const [across, down, own] = dots.values.subarray(3 * i, 3 * i + 3);
        if (own !== kind) continue;
        const [x, y] = [(across / 255) * wide, (down / 255) * tall];
        context.moveTo(x + radius, y);
        context.arc(x, y, radius, 0, 2 * Math.PI);
      }
      const held = palette.length ? kind > 127 : kind > 1;
      const [pale, deep] = kind % 2 ? ["#b9dcff", "#0a2f57"] : ["#ffd9ad", "#5c2a00"];
      context.fillStyle = palette.length ? palette[kind % 128] : held ? deep : pale;
      context.strokeStyle = palette.length ? (held ? "#10202e" : "#ffffff") : held ? pale : deep;
      context.lineWidth = radius * (held ? 0.6 : 0.35);
      context.fill();
      context.stroke();
    }
    this.dotted = { key, dots: dots.values, canvas };
    return canvas;
  }

  /** Finds the largest cells for which all tiles and labels fit. */
  arrange(context, tiles, width, height, ratio) {
    const { spec } = this;
    context.font = this.font(11);
    const widest = (words) => Math.max(0, ...words.map((word) => context.measureText(word).width));
    const { rows, columns: names } = this;
    const single = tiles.n === 1;
    const { plane } = spec;
    const scale = this.ranged ? 20 : 0;
    let left = 0;
    let top = 0;
    if (single || spec.whole) {
      if (rows.length) left = Math.min(widest(rows) + 8, 0.34 * width);
      if (spec.row_title) left += 16;
      if (names.length) top = 16;
      if (spec.column_title && !plane) top += 16;
    } else if (spec.marks?.length) left = widest(spec.marks) + 8;
    const under = single && plane ? 16 + (spec.column_title ? 14 : 0) : 0; // the axis across
    if (under) left += widest([String(plane[0]).replace("-", "−")]) + 8;
    this.lines = Math.max(
      0,
      ...spec.tiles.map((name) => Math.max(...name.split(" || ").map((one) => one.split("\n").length))),
    );
    let caption = spec.whole ? 0 : 14 * this.lines;
    const gap = single ? 0 : Math.max(3, Math.min(8, width / (spec.across ? 140 : 60)));
    const legend = scale + under;
    let found = { cell: 0, across: 1 };
    const fit = (top) => {
      found = { cell: 0, across: 1 };
      for (let across = spec.across || 1; across <= (spec.across || tiles.n); across++) {
        const down = Math.ceil(tiles.n / across);
        const cell = Math.min(
          (width - left - gap * (across - 1)) / (across * tiles.columns),
          (height - top - legend - down * caption - gap * (down - 1)) / (down * tiles.rows),
        );
        if (cell > found.cell) found = { cell, across };
      }
    };
    fit(top);
    this.steep = false;
    if (single && names.length && widest(names) > found.cell - 2) {
      this.steep = true; // names of columns that do not fit beside each other stand upright
      top += Math.min(widest(names), 0.22 * height) - 8;
      fit(top);
    }
    this.wraps = false;
    if (caption) {
      // captions wider than their tiles go on in further lines, where the tiles need not shrink much for it
      context.font = this.font(10.5);
      const needed = Math.max(...this.names.map((name) => wrapped(context, name, found.cell * tiles.columns).length));
      const key = [this.text, width, height].join();
      if (key !== this.settled?.key) this.settled = { key, lines: 0 };
      const lines = (this.settled.lines = Math.max(needed, this.settled.lines)); // numbers come and go; the tiles stay
      if (lines > this.lines) {
        const before = found;
        caption = 14 * lines;
        fit(top);
        this.wraps = found.cell > 0.85 * before.cell;
        if (this.wraps) this.lines = lines;
        else [found, caption] = [before, 14 * this.lines];
      }
    }
    let { cell } = found;
    const { across } = found;
    // whole pixels, crisp edges: of a cell, or of a tile where that is what counts or cells are too fine to tell
    const unit = spec.whole || (!single && cell * ratio < 4) ? tiles.columns : 1;
    if (cell * unit * ratio >= 1 && !spec.smooth) cell = Math.floor(cell * unit * ratio) / ratio / unit;
    const down = Math.ceil(tiles.n / across);
    const used = left + across * cell * tiles.columns + gap * (across - 1);
    const tall = top + legend + down * (caption + cell * tiles.rows) + gap * (down - 1);
    const snap = (value) => Math.round(value * ratio) / ratio;
    this.plan = {
      cell,
      across,
      gap,
      caption,
      left: snap(left + Math.max(0, (width - used) / 2)),
      top: snap(top + Math.max(0, (height - tall) / 2)),
      bottom: 0,
    };
    this.plan.bottom = this.plan.top + tall - top - scale;
  }

  font(size) {
    return `${size}px ${this.board.theme.font}`;
  }

  /** Top left corner of a tile. */
  corner(index) {
    const { cell, across, gap, caption, left, top } = this.plan;
    const { rows, columns } = this.shown;
    const down = Math.floor(index / across);
    return [left + (index % across) * (cell * columns + gap), top + down * (cell * rows + caption + gap) + caption];
  }

  tile(context, tiles, index) {
    const { rows, columns, depth, values } = tiles;
    const { cell } = this.plan;
    const size = rows * columns;
    const [x, y] = this.corner(index);
    this.scratch ??= document.createElement("canvas");
    if (this.scratch.width !== columns || this.scratch.height !== rows || !this.image) {
      this.scratch.width = columns;
      this.scratch.height = rows;
      this.image = new ImageData(columns, rows);
    }
    const out = this.image.data;
    const table = RAMPS[this.colours];
    const [low, high] = depth === 1 ? this.limits(tiles, index) : [0, 255];
    for (let i = 0; i < size; i++) {
      const at = 4 * i;
      if (depth > 1) {
        for (let c = 0; c < 3; c++) out[at + c] = values[(index * size + i) * depth + c];
        out[at + 3] = 255;
        continue;
      }
      const value = this.meant(values[index * size + i]);
      const colour = table ? 3 * place(value, low, high) : 0;
      for (let c = 0; c < 3; c++)
        out[at + c] = Number.isNaN(value) ? 128 : table ? table[colour + c] : place(value, low, high);
      out[at + 3] = Number.isNaN(value) ? 70 : 255;
    }
    this.scratch.getContext("2d").putImageData(this.image, 0, 0);
    context.drawImage(this.scratch, x, y, cell * columns, cell * rows);
    if (this.spec.numbers && depth === 1 && cell >= 17) {
      context.textAlign = "center";
      context.textBaseline = "middle";
      let font = clamp(cell * 0.36, 8, 14);
      const texts = Array.from({ length: size }, (_, i) => short(values[index * size + i]));
      context.font = this.font(font);
      const widest = Math.max(...texts.map((text) => context.measureText(text).width));
      if (widest > cell - 3) font = Math.max(6.5, (font * (cell - 3)) / widest);
      context.font = this.font(font);
      for (let i = 0; i < size; i++) {
        context.fillStyle = light(out[4 * i], out[4 * i + 1], out[4 * i + 2]) ? "#10202e" : "#ffffff";
        context.fillText(texts[i], x + ((i % columns) + 0.5) * cell, y + (Math.floor(i / columns) + 0.5) * cell);
      }
    }
    if (this.spec.tiles[index] && this.names[index] && !this.spec.whole) {
      context.font = this.font(10.5);
      context.textAlign = "left";
      context.textBaseline = "alphabetic";
      context.fillStyle = this.board.theme.text;
      const lines = this.wraps ? wrapped(context, this.names[index], cell * columns) : this.names[index].split("\n");
      const above = this.wraps ? lines.length : this.lines; // those that differ in length end at their tiles
      lines.forEach((line, at) =>
        context.fillText(fitted(context, line, cell * columns + 2), x, y - 3 - 14 * (above - 1 - at)),
      );
    }
  }

  /** Strikes a tile out. */
  cross(context, tiles, index) {
    const { cell } = this.plan;
    const [x, y] = this.corner(index);
    const [wide, tall] = [cell * tiles.columns, cell * tiles.rows];
    context.fillStyle = this.board.theme.background;
    context.globalAlpha = 0.55;
    context.fillRect(x, y, wide, tall);
    context.globalAlpha = 1;
    context.strokeStyle = RED;
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(x + 2, y + 2);
    context.lineTo(x + wide - 2, y + tall - 2);
    context.moveTo(x + wide - 2, y + 2);
    context.lineTo(x + 2, y + tall - 2);
    context.stroke();
  }

  /** The marks beside the first tile of every row of tiles. */
  marks(context, tiles) {
    const { marks = [] } = this.spec;
    const { cell, across } = this.plan;
    context.font = this.font(10.5);
    context.fillStyle = this.board.theme.text;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (let index = 0; index < tiles.n; index += across) {
      const [x, y] = this.corner(index);
      marks.forEach((mark, row) => mark && context.fillText(mark, x - 5, y + (row + 0.5) * cell));
    }
  }

  labels(context, tiles) {
    if (tiles.n !== 1 && !this.spec.whole) return this.marks(context, tiles);
    const { spec, plan, rows, columns: names } = this;
    const [x, y] = this.corner(0);
    if (spec.plane) return void this.axes(context, x, y, plan.cell * tiles.columns, plan.cell * tiles.rows);
    // what the names stand beside: cells, or whole tiles and the gaps between them
    const wide = spec.whole ? plan.cell * tiles.columns : plan.cell;
    const tall = spec.whole ? plan.cell * tiles.rows : plan.cell;
    const [stepX, stepY] = spec.whole ? [wide + plan.gap, tall + plan.gap] : [wide, tall];
    const down = spec.whole ? Math.ceil(tiles.n / plan.across) : tiles.rows;
    const over = spec.whole ? Math.min(plan.across, tiles.n) : tiles.columns;
    const [allX, allY] = [(over - 1) * stepX + wide, (down - 1) * stepY + tall];
    context.font = this.font(11);
    context.fillStyle = this.board.theme.text;
    context.textBaseline = "middle";
    const every = Math.max(1, Math.ceil(12 / stepY)); // where rows are thin, not every one is named
    const each = Math.max(1, Math.ceil((this.steep ? 12 : 16) / stepX));
    context.textAlign = "right";
    const room = x - (spec.row_title ? 16 : 0) - 4;
    rows.forEach((word, row) => {
      if (row < down && row % every === 0)
        context.fillText(fitted(context, word, room), x - 5, y + row * stepY + tall / 2);
    });
    names.forEach((word, column) => {
      if (column >= over || column % each) return;
      context.save();
      context.translate(x + column * stepX + wide / 2, y - 4);
      if (this.steep) context.rotate(-Math.PI / 2);
      context.textAlign = this.steep ? "left" : "center";
      context.textBaseline = this.steep ? "middle" : "alphabetic";
      context.fillText(
        fitted(context, word, this.steep ? y - 8 - (spec.column_title ? 16 : 0) : each * stepX + 2),
        0,
        0,
      );
      context.restore();
    });
    context.globalAlpha = 0.75;
    context.textAlign = "center";
    const above = names.length
      ? this.steep
        ? Math.min(y - 24, Math.max(0, ...names.map((word) => context.measureText(word).width))) + 6
        : 16
      : 2;
    if (spec.column_title) context.fillText(spec.column_title, x + allX / 2, Math.max(8, y - above - 8));
    if (spec.row_title) {
      context.save();
      context.translate(
        Math.max(8, x - 5 - Math.max(0, ...rows.map((word) => context.measureText(word).width)) - 12),
        y + allY / 2,
      );
      context.rotate(-Math.PI / 2);
      context.fillText(spec.row_title, 0, 0);
      context.restore();
    }
    context.globalAlpha = 1;
  }

  /** The axes of a plane: both ends and the middle of each, and its name. */
  axes(context, x, y, wide, tall) {
    const {
      plane: [low, high],
      row_title: up,
      column_title: right,
    } = this.spec;
    context.font = this.font(11);
    context.fillStyle = this.board.theme.text;
    const said = [low, (low + high) / 2, high].map((one) => String(one).replace("-", "−"));
    context.textBaseline = "middle";
    context.textAlign = "right";
    said.forEach((word, i) => context.fillText(word, x - 4, y + tall * (1 - i / 2) + [-5, 0, 5][i]));
    said.forEach((word, i) => {
      context.textAlign = ["left", "center", "right"][i];
      context.fillText(word, x + (wide * i) / 2, y + tall + 9);
    });
    context.globalAlpha = 0.75;
    context.textAlign = "center";
    context.fillText(right, x + wide / 2, y + tall + 22);
    context.translate(x - 12, y + tall / 4);
    context.rotate(-Math.PI / 2);
    context.fillText(up, 0, 0);
    context.rotate(Math.PI / 2);
    context.translate(12 - x, -y - tall / 4);
    context.globalAlpha = 1;
  }

  /** Places that a press goes over, until the page has taken them. */
  stroked(context) {
    const [x, y] = this.corner(0);
    const [wide, tall] = [this.plan.cell * this.shown.columns, this.plan.cell * this.shown.rows];
    context.fillStyle = this.board.theme.text;
    for (const [across, down] of this.stroke ?? []) {
      context.beginPath();
      context.arc(x + across * wide, y + down * tall, 3, 0, 2 * Math.PI);
      context.fill();
    }
  }

  /** Whether a press draws: what is picked is where it went. */
  get draws() {
    return Object.values(this.spec.picks?.sets ?? {}).includes("stroke");
  }

  /** Gathers the places of a stroke, at least a little apart, and picks them when it ends. */
  drawOn(event) {
    if (!this.draws || !this.shown || this.lent || event.button !== 0) return;
    event.preventDefault();
    this.box.setPointerCapture?.(event.pointerId);
    const add = ({ clientX, clientY }) => {
      const box = this.canvas.getBoundingClientRect();
      const [x, y] = this.corner(0);
      const across = (clientX - box.left - x) / (this.plan.cell * this.shown.columns);
      const down = (clientY - box.top - y) / (this.plan.cell * this.shown.rows);
      const last = this.stroke.at(-1);
      if (across < 0 || across > 1 || down < 0 || down > 1) return;
      if (last && Math.hypot(across - last[0], down - last[1]) < 0.035) return;
      this.stroke.push([Number(across.toFixed(4)), Number(down.toFixed(4))]);
      this.dirty = true;
      this.board.schedule();
    };
    this.stroke = [];
    add(event);
    const end = ({ type }) => {
      for (const kind of ["pointermove", "pointerup", "pointercancel"])
        this.box.removeEventListener(kind, kind === "pointermove" ? add : end);
      const { stroke } = this;
      this.stroke = null;
      this.dirty = true;
      this.board.schedule();
      if (type === "pointerup" && stroke.length) this.pick({ stroke });
    };
    this.box.addEventListener("pointermove", add);
    this.box.addEventListener("pointerup", end);
    this.box.addEventListener("pointercancel", end);
  }

  /** Whether one range of values holds for all there is to see, so that it can be said. */
  get ranged() {
    const { limits, whole } = this.spec;
    const { colours } = this;
    const pictures = whole && this.tiles && this.tiles.rows * this.tiles.columns > 1;
    return colours !== "rgb" && limits !== "each" && !pictures;
  }

  legend(tiles) {
    const show = this.ranged && tiles.depth === 1;
    this.scale.hidden = !show;
    if (!show) return;
    const [low, high] = this.limits(tiles, 0);
    this.bar.style.background = gradient(RAMPS[this.colours]);
    write(this.low, number(low, "3"));
    write(this.high, number(high, "3"));
    this.scale.style.top = `${this.plan.bottom + 4}px`;
  }

  hit(event) {
    if (!this.shown || !this.plan) return null;
    const box = this.canvas.getBoundingClientRect();
    const { cell } = this.plan;
    for (let index = 0; index < this.shown.n; index++) {
      const [x, y] = this.corner(index);
      const column = Math.floor((event.clientX - box.left - x) / cell);
      const row = Math.floor((event.clientY - box.top - y) / cell);
      const inside = row >= 0 && row < this.shown.rows && column >= 0 && column < this.shown.columns;
      if (inside) return this.spec.whole ? [index, 0, 0] : [index, row, column];
    }
    return null;
  }

  value([tile, row, column]) {
    const { values, rows, columns, depth } = this.shown;
    const at = (tile * rows + row) * columns + column;
    return depth === 1 ? this.meant(values[at]) : Array.from(values.subarray(at * depth, at * depth + 3));
  }

  /** Shows the cell under the pointer or the keys, and says its exact value. */
  point(at) {
    if (at && this.shown && (at[0] >= this.shown.n || at[1] >= this.shown.rows || at[2] >= this.shown.columns))
      at = null;
    if (!at || !this.shown) return this.hide();
    this.at = at;
    const [tile, row, column] = at;
    const { spec } = this;
    const value = this.value(at);
    const names = [];
    if (this.names[tile]) names.push(this.names[tile].split("\n")[0]);
    else if (this.shown.n > 1) names.push(`#${tile}`);
    if (!spec.whole) {
      const { plane } = spec;
      const at = (part, of) => number(plane[0] + ((part + 0.5) / of) * (plane[1] - plane[0]), "3");
      const [across, down] = plane
        ? [at(column, this.shown.columns), at(this.shown.rows - 1 - row, this.shown.rows)]
        : [this.columns[column] ?? column, this.rows[row] ?? row];
      if (!plane) names.push(`${spec.row_title ? `${spec.row_title} ` : ""}${down}`);
      names.push(`${spec.column_title ? `${spec.column_title} ` : ""}${across}`);
      if (plane) names.push(`${spec.row_title ? `${spec.row_title} ` : ""}${down}`);
    }
    const single = !spec.whole || this.shown.rows * this.shown.columns === 1;
    const said =
      this.wonder(at) ??
      (Array.isArray(value)
        ? spec.plane
          ? "…"
          : value.join(", ")
        : (spec.exact ? "≈ " : "") + (spec.exact ? number(value, "2") : exact(value)));
    write(this.tip, names.join(" · ") + (single ? `: ${said}` : ""));
    this.tip.hidden = false;
    this.frameCell(this.cursor, at);
    const [x, y] = this.corner(tile);
    const [, tall] = this.extent;
    const middle = x + (column + 0.5) * this.extent[0];
    const above = y + row * tall > 34;
    this.tip.style.top = `${above ? y + row * tall - 6 : y + (row + 1) * tall + 6}px`;
    this.tip.style.transform = `translate(-50%, ${above ? "-100%" : "0"})`;
    const half = this.tip.offsetWidth / 2;
    this.tip.style.left = `${clamp(middle, half, Math.max(half, this.body.clientWidth - half))}px`;
    return undefined;
  }

  /** Asks for the exact value of a cell, once; returns it when it is there. */
  wonder([, row, column]) {
    const { exact: name } = this.spec;
    if (!name || (this.lent && this.lent.unit < -1)) return undefined;
    const wanted = [this.lent ? this.lent.unit : -1, row, column];
    if (!same(wanted, this.wondered ?? [])) {
      this.wondered = wanted;
      this.board.asks.picked(name, { unit: wanted[0], row, col: column }, true);
    }
    const known = Array.from(flat(this.data.exact), Number);
    return same(wanted, known.slice(0, 3)) ? exact(known[3]) : undefined;
  }

  hide() {
    this.at = null;
    this.cursor.hidden = true;
    this.tip.hidden = true;
    if (!this.wondered) return;
    this.wondered = null;
    this.board.asks.drop(`pick/${this.spec.exact}`);
  }

  /** Width and height of what is pointed at. */
  get extent() {
    const { cell } = this.plan;
    return this.spec.whole ? [cell * this.shown.columns, cell * this.shown.rows] : [cell, cell];
  }

  frameCell(element, [tile, row, column]) {
    const [wide, tall] = this.extent;
    const [x, y] = this.corner(tile);
    element.hidden = false;
    element.style.cssText = `left:${x + column * wide}px;top:${y + row * tall}px;width:${wide}px;height:${tall}px`;
  }

  /** Frames the chosen cell: what a patch selects, else what was picked last. */
  mark() {
    if (this.shadows.length) {
      const [x, y] = this.corner(this.chosen); // the whole tile that is shown in full elsewhere
      const [wide, tall] = [this.plan.cell * this.shown.columns, this.plan.cell * this.shown.rows];
      this.selected.style.cssText = `left:${x}px;top:${y}px;width:${wide}px;height:${tall}px`;
      this.selected.hidden = false;
      return;
    }
    const given = this.data.select;
    const at = given ? Array.from(flat(given), Number) : this.picked;
    if (!at || at[0] >= this.shown.n || at[1] >= this.shown.rows || at[2] >= this.shown.columns)
      this.selected.hidden = true;
    else this.frameCell(this.selected, at);
  }

  choose(at) {
    if (!this.spec.picks) return;
    this.picked = at;
    this.mark();
    this.follow();
    const [, row, col] = at;
    const tile = this.source ? this.source.chosen : at[0];
    const value = this.value(at);
    this.pick({
      tile,
      row,
      col,
      value: Array.isArray(value) ? undefined : value,
      x: col,
      y: row,
      name: this.spec.tiles[tile],
    });
  }

  key(event) {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const press = event.key === "Enter" || event.key === " ";
    if ((!move && !press) || !this.shown) return;
    event.preventDefault();
    event.stopPropagation();
    if (press) {
      if (this.at) this.choose(this.at);
      return;
    }
    let [tile, row, column] = this.at || this.picked || [0, 0, 0];
    const fresh = !this.at && !this.picked;
    if (!fresh) {
      const { n } = this.shown;
      const { rows, columns } = this.spec.whole ? { rows: 1, columns: 1 } : this.shown;
      const { across } = this.plan;
      row += move[0];
      column += move[1];
      // past a tile's edge lies its neighbour
      if (column < 0) [tile, column] = tile % across > 0 ? [tile - 1, columns - 1] : [tile, 0];
      else if (column >= columns)
        [tile, column] = (tile + 1) % across && tile + 1 < n ? [tile + 1, 0] : [tile, columns - 1];
      if (row < 0) [tile, row] = tile >= across ? [tile - across, rows - 1] : [tile, 0];
      else if (row >= rows) [tile, row] = tile + across < n ? [tile + across, 0] : [tile, rows - 1];
    }
    this.point([tile, row, column]);
  }
}

/** A text in lines that fit: broken between words, Chinese between any two characters. */
function wrapped(context, text, room) {
  return text.split("\n").flatMap((whole) => {
    const lines = [""];
    for (const word of whole.match(
      / *([\u2e80-\uffff](?![\u3001\u3002\uff00-\uffef])|[\u2e80-\uffff]{2}|[^\u2e80-\uffff ]+( %)?)/g,
    ) ?? []) {
      if (!lines.at(-1) || context.measureText(lines.at(-1) + word).width <= room) lines[lines.length - 1] += word;
      else lines.push(word.trimStart());
    }
    return lines;
  });
}

function fitted(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let cut = text;
  while (cut.length > 1 && context.measureText(`${cut}…`).width > room) cut = cut.slice(0, -1);
  return `${cut}…`;
}
