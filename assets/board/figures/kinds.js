/** The kinds of figure by their names in a spec. */

import { GraphFigure } from "./graph.js";
import { LinksFigure } from "./links.js";
import { MapFigure } from "./map.js";
import { NetworkFigure } from "./network.js";
import { PlotFigure } from "./plot.js";
import { StripFigure } from "./strip.js";
import { TableFigure } from "./table.js";

export const KINDS = {
  plot: PlotFigure,
  map: MapFigure,
  graph: GraphFigure,
  strip: StripFigure,
  links: LinksFigure,
  table: TableFigure,
  network: NetworkFigure,
};
