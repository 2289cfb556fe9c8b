/** The colours in force on the page. */

import { light, rgb } from "./colors.js";

/** The colours in force, from the --st-* variables that Streamlit sets around a component. */
export function themeOf(element) {
  const style = getComputedStyle(element);
  const read = (name, other) => style.getPropertyValue(name).trim() || other;
  const theme = {
    text: read("--st-text-color", "#1f2a37"),
    background: read("--st-background-color", "#ffffff"),
    second: read("--st-secondary-background-color", "#f3f6f9"),
    border: read("--st-border-color", "#d9e0e8"),
    primary: read("--st-primary-color", "#1f6fba"),
    font: read("--st-font", "sans-serif"),
    variable: (name) => read(name, "#7a7a7a"),
  };
  const probe = theme.background.match(/^#[0-9a-f]{6}$/i)
    ? rgb(theme.background)
    : (theme.background.match(/\d+/g) || [255, 255, 255]).map(Number);
  theme.dark = !light(...probe);
  theme.key = [theme.text, theme.background, theme.border, theme.font].join("|");
  return theme;
}

/** A value with each "var(--st-…)" in it replaced: canvases and plotly know no variables. */
export function themed(value, theme) {
  if (typeof value === "string") {
    const found = value.match(/^var\((--[\w-]+)\)$/);
    return found ? theme.variable(found[1]) : value;
  }
  if (Array.isArray(value)) {
    // long lists are numbers; only short ones may hold colours
    return value.length < 64 && value.some((one) => typeof one === "string" || (one && typeof one === "object"))
      ? value.map((one) => themed(one, theme))
      : value;
  }
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, themed(one, theme)]));
}
