/**
 * The board's keys: space, arrows, Home, End, brackets and f, while nothing else on the page wants them.
 *
 * @import { Transport } from "./transport.js"
 */

const OWN_CONTROLS = ".tr-controls, .tr-state"; // the player's buttons know only the space bar
const BUSY = [
  ...["input", "textarea", "select", "button", "summary", "[contenteditable='']", "[contenteditable=true]"],
  ...["slider", "tab", "radio", "option", "menuitem", "dialog", "application"].map((role) => `[role=${role}]`),
].join(", ");

/**
 * Does what a key asks for. Returns whether the key was the board's.
 *
 * @param {KeyboardEvent} event
 * @param {Transport} transport
 * @param {Element} scrubber whose own keys are the arrows, Home and End
 */
export function handleKey(event, transport, scrubber) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return false;
  const target = /** @type {Element} */ (event.target);
  const own =
    (event.key !== " " && target.closest?.(OWN_CONTROLS)) || ("[]f".includes(event.key) && target === scrubber);
  if ((!own && target.closest?.(BUSY)) || !transport.ready()) return false;
  if (event.key === " ") transport.toggle();
  else if (event.key === "ArrowLeft") transport.stepBy(-1);
  else if (event.key === "ArrowRight") transport.stepBy(1);
  else if (event.key === "Home") transport.goToStart();
  else if (event.key === "End") transport.goLive();
  else if (event.key === "[" || event.key === "]") transport.toCheckpoint(event.key === "[" ? -1 : 1);
  else if (event.key === "f") transport.fork();
  else return false;
  event.preventDefault();
  return true;
}
