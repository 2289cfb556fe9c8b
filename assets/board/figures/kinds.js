/**
 * The kinds of figure by their names in a spec.
 *
 * @import { FigureSpec } from "../types.d.ts"
 * @import { Figure } from "./figure.js"
 * @import { Host } from "./host.d.ts"
 */

import { GraphFigure } from "./graph.js";
import { LinksFigure } from "./links.js";
import { MapFigure } from "./map.js";
import { NetworkFigure } from "./network.js";
import { PlotFigure } from "./plot.js";
import { StripFigure } from "./strip.js";
import { TableFigure } from "./table.js";

const KINDS = {
  plot: PlotFigure,
  map: MapFigure,
  graph: GraphFigure,
  strip: StripFigure,
  links: LinksFigure,
  table: TableFigure,
  network: NetworkFigure,
};

/**
 * A figure of the spec's kind.
 *
 * @param {Host} host
 * @param {FigureSpec} spec
 * @returns {Figure}
 */
export function makeFigure(host, spec) {
  const figure = new KINDS[spec.kind](host, /** @type {any} */ (spec));
  figure.respec(/** @type {any} */ (spec));
  return /** @type {Figure} */ (/** @type {unknown} */ (figure));
}
