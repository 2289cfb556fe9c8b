/**
 * The colours in force, from the --st-* variables that Streamlit sets around a component.
 *
 * @import { Theme } from "./types.d.ts"
 */

import { isLight, rgb } from "./colors.js";

/**
 * @param {Element} element
 * @returns {Theme}
 */
export function themeOf(element) {
  const style = getComputedStyle(element);
  /**
   * @param {string} name
   * @param {string} fallback
   */
  const read = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
  const colors = {
    text: read("--st-text-color", "#1f2a37"),
    background: read("--st-background-color", "#ffffff"),
    second: read("--st-secondary-background-color", "#f3f6f9"),
    border: read("--st-border-color", "#d9e0e8"),
    primary: read("--st-primary-color", "#1f6fba"),
    font: read("--st-font", "sans-serif"),
  };
  const { text, background, border, font } = colors;
  const [r, g, b] = /^#[0-9a-f]{6}$/i.test(background)
    ? rgb(background)
    : (background.match(/\d+/g) || [255, 255, 255]).map(Number);
  return {
    ...colors,
    dark: !isLight(r, g, b),
    key: [text, background, border, font].join("|"),
    variable: (name) => read(name, "#7a7a7a"),
  };
}

/**
 * A value with each "var(--st-…)" in it replaced: canvases and plotly know no variables.
 *
 * @param {any} value
 * @param {Pick<Theme, "variable">} theme
 * @returns {any}
 */
export function themed(value, theme) {
  if (typeof value === "string") {
    const variable = value.match(/^var\((--[\w-]+)\)$/);
    return variable ? theme.variable(variable[1]) : value;
  }
  if (Array.isArray(value)) {
    // long lists are numbers; only short ones may hold colours
    const mayHoldColors = (/** @type {any} */ item) => typeof item === "string" || (item && typeof item === "object");
    return value.length < 64 && value.some(mayHoldColors) ? value.map((item) => themed(item, theme)) : value;
  }
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, themed(item, theme)]));
}

/** Tells of each change of the theme, which is on some element above the board. */
export class ThemeWatcher {
  /** @param {() => void} changed */
  constructor(changed) {
    this.observer = new MutationObserver(changed);
  }

  /** @param {HTMLElement} parent of the board */
  watch(parent) {
    this.observer.disconnect();
    for (let element = /** @type {HTMLElement | null} */ (parent); element; element = element.parentElement) {
      this.observer.observe(element, { attributes: true, attributeFilter: ["class", "style", "data-theme"] });
    }
  }

  stop() {
    this.observer.disconnect();
  }
}
