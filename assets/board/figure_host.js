/**
 * What figures may use of the board.
 *
 * @import { Board } from "./board.js"
 * @import { Host } from "./figures/host.d.ts"
 */

/**
 * @param {Board} board
 * @returns {Host}
 */
export function figureHost(board) {
  return {
    schedule: () => board.schedule(),
    reread: () => {
      board.renderer.readingsDue = true;
    },
    say: (key, values) => board.say(key, values),
    choose: (settings) => board.choose(settings),
    queries: board.queries,
    runs: board.runs,
    figure: (id) => board.figures.get(id),
    figuresShowing: (id) => board.grid.showing(id),
    get theme() {
      return board.theme;
    },
    get names() {
      return board.spec.names || {};
    },
    get plotlyUrl() {
      return board.plotlyUrl;
    },
  };
}
