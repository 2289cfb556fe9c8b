/** plotly.js, loaded once for the page when a plot first needs it. */

import { el } from "../dom.js";

const page = /** @type {{ Plotly?: any }} */ (globalThis);

/** @type {Promise<any> | null} */
let loading = null;

/** plotly where it is loaded, else undefined. */
export const plotly = () => page.Plotly;

/**
 * @param {string} url
 * @returns {Promise<any>}
 */
export function loadPlotly(url) {
  if (page.Plotly) return Promise.resolve(page.Plotly);
  loading ??= new Promise((resolve, reject) => {
    const script = el("script", "", { src: url, async: "" });
    script.onload = () => resolve(page.Plotly);
    script.onerror = () => {
      loading = null;
      script.remove();
      reject(new Error(`${url} did not load`));
    };
    document.head.append(script);
  });
  return loading;
}
