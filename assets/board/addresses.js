/** Where the server's files and messages are, under whatever path it is mounted at. */

const PREFIX = "/live/";

/**
 * The address of a path under /live/; the modules themselves lie there.
 *
 * @param {string} path
 */
export function liveUrl(path) {
  const module = new URL(import.meta.url, location.href);
  const at = module.pathname.indexOf(PREFIX);
  const base =
    /^https?:$/.test(module.protocol) && at >= 0
      ? new URL(module.pathname.slice(0, at + PREFIX.length), module)
      : new URL(PREFIX, location.href);
  return new URL(path, base).href;
}

/**
 * The address of a path that the page gave.
 *
 * @param {string} path
 */
export const resolveUrl = (path) =>
  path.startsWith(PREFIX) ? liveUrl(path.slice(PREFIX.length)) : new URL(path, location.href).href;
