/**
 * The layout of a plot as plotly takes it: the spec's, in the theme's colours.
 *
 * @import { PlotSpec, Theme } from "../types.d.ts"
 */

import { themed } from "../theme.js";

const IS_AXIS = /^[xy]axis\d*$/;
const IS_SCENE = /^scene\d*$/;
const SCENE_AXES = ["xaxis", "yaxis", "zaxis"];
const CLEAR = "rgba(0,0,0,0)";

/** @typedef {Record<string, any>} Layout */

/**
 * @param {PlotSpec} spec
 * @param {Theme} theme
 * @param {{ solid: boolean, dragmode: string | false }} options whether it is a scene in three dimensions; what a drag
 *   does where the spec does not say
 * @returns {Layout}
 */
export function plotLayout(spec, theme, { solid, dragmode }) {
  const given = themed(spec.layout || {}, theme);
  /** @type {Layout} */
  const layout = {
    paper_bgcolor: CLEAR,
    plot_bgcolor: CLEAR,
    hoverlabel: {
      bgcolor: theme.background,
      bordercolor: theme.border,
      font: { color: theme.text, family: theme.font, size: 12 },
    },
    hovermode: "closest",
    ...given,
    font: { family: theme.font, size: 12, color: theme.text, ...given.font },
    margin: { l: 46, r: 10, t: 6, b: 40, ...given.margin },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, bgcolor: CLEAR, font: { size: 11 }, ...given.legend },
  };
  layout.dragmode ??= dragmode;
  for (const key of new Set(["xaxis", "yaxis", ...Object.keys(given)])) {
    if (IS_AXIS.test(key) && !(solid && !given[key])) layout[key] = axisLayout(key, given[key] || {}, theme);
    if (IS_SCENE.test(key)) layout[key] = sceneLayout(given[key], theme);
  }
  return layout;
}

/**
 * @param {string} key "xaxis", "yaxis2", ...
 * @param {Layout} given
 * @param {Theme} theme
 */
function axisLayout(key, given, theme) {
  const line = theme.dark ? "rgba(255,255,255,0.12)" : "rgba(20,40,70,0.10)";
  const zero = theme.dark ? "rgba(255,255,255,0.28)" : "rgba(20,40,70,0.25)";
  /** @type {Layout} */
  const axis = {
    ...{ gridcolor: line, zerolinecolor: zero, linecolor: zero, tickcolor: zero, tickfont: { size: 11 } },
    // room for what varies: numbers beside a y axis, names under an x axis; more of it and plotly goes in circles
    automargin: key[0] === "y" || given.type === "category",
    ...given,
  };
  const title = typeof given.title === "string" ? { text: given.title } : given.title;
  if (title) axis.title = { standoff: 6, ...title, font: { size: 12, ...title.font } };
  return axis;
}

/**
 * @param {Layout} given
 * @param {Theme} theme
 */
function sceneLayout(given, theme) {
  /** @type {Layout} */
  const scene = { bgcolor: CLEAR, ...given };
  const line = theme.dark ? "#39444f" : "#dde3ea"; // its lines know no transparency
  for (const name of SCENE_AXES) {
    scene[name] = {
      ...{ gridcolor: line, zerolinecolor: line, linecolor: line, showbackground: false, color: theme.text },
      ...scene[name],
    };
  }
  return scene;
}

/**
 * A copy for one drawing, for plotly writes into the layout it is given. Zoom, camera and hidden traces are the
 * reader's, as long as the `uirevision` stays.
 *
 * @param {Layout} base
 * @param {{ width: number, height: number, revision: string, log: boolean | null }} options `log`: what the reader's
 *   switch says of the y axis, null where there is no switch
 * @returns {Layout}
 */
export function layoutForDrawing(base, { width, height, revision, log }) {
  /** @type {Layout} */
  const layout = { ...base, width, height, uirevision: revision };
  for (const key of Object.keys(layout)) {
    if (IS_AXIS.test(key)) {
      const axis = (layout[key] = { ...layout[key] });
      if (key === "yaxis" && log !== null) {
        if (axis.type === "log" ? !log : log) delete axis.range;
        axis.type = log ? "log" : axis.type === "log" ? "linear" : axis.type;
      }
      if (axis.range) axis.range = [...axis.range];
      // another range in the spec is another place: a zoom into the old one means nothing there
      axis.uirevision = `${revision} ${axis.type || ""} ${axis.range || ""}`;
    } else if (IS_SCENE.test(key)) {
      layout[key] = { ...layout[key], uirevision: revision };
      for (const name of SCENE_AXES) layout[key][name] = { ...layout[key][name] };
    } else if (key === "legend" || key === "margin") {
      layout[key] = { ...layout[key] };
    }
  }
  return layout;
}
