/**
 * Buttons and lists over a network's layers, whose choice is the page's.
 *
 * @import { NetworkSpec, NetworkTool } from "../schema.d.ts"
 * @import { Settings } from "../types.d.ts"
 */

import { el } from "../dom.js";

/** @typedef {(settings: Settings) => void} Choose */

/**
 * @param {NetworkTool} tool
 * @param {Choose} choose
 */
export function networkTool({ label = "", help, sets, options, at = 0 }, choose) {
  const names = { "aria-label": help, title: help };
  if (options) {
    const list = el("select", "tr-tool", names, ...options.map((option) => el("option", "", {}, option.label)));
    list.selectedIndex = at;
    list.onchange = () => choose(options[list.selectedIndex].sets);
    return list;
  }
  const button = el("button", "tr-tool", { type: "button", ...names }, label);
  button.disabled = !sets;
  if (sets) button.onclick = () => choose(sets);
  return button;
}

/**
 * The name of a layer, and its tools.
 *
 * @param {NetworkSpec["layers"][number]} layer
 * @param {Choose} choose
 */
export function layerHead({ title, tools = [] }, choose) {
  const head = el("div", "tr-column", {}, el("span", "", {}, title));
  if (tools?.length) {
    head.append(el("span", "tr-column-tools", {}, ...tools.map((tool) => networkTool(tool, choose))));
  }
  return head;
}
