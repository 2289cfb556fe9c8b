/** The board's style sheet, loaded once for the page. */

import { resolveUrl } from "./addresses.js";
import { el } from "./dom.js";

/**
 * Loads a style sheet unless the page has it; until it is here the board is not shown.
 *
 * @param {string} path
 * @param {HTMLElement} board
 * @param {() => void} loaded is told when it is here, or cannot be had
 */
export function loadStyle(path, board, loaded) {
  const href = resolveUrl(path);
  const links = /** @type {NodeListOf<HTMLLinkElement>} */ (document.querySelectorAll("link[rel=stylesheet]"));
  if ([...links].some((link) => link.href === href)) return;
  const link = el("link", "", { rel: "stylesheet", href });
  board.style.visibility = "hidden";
  link.onload = link.onerror = () => {
    board.style.visibility = "";
    loaded();
  };
  document.head.append(link);
}
