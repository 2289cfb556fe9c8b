/** Where figures stand on the board's grid. */

const HEADS = 60; // px of heading, reading and caption around a figure's body
const BETWEEN = 64; // px that a figure takes besides its body where several stand beside the hero
const SHORTEST = 120; // px of a body that are too few to share the hero's height

/**
 * @typedef {object} Placement
 * @property {string} place "hero", "beside", "full", or the figure's own size
 * @property {number} height of the body, in px
 * @property {number} [rows] of the hero: how many figures stand beside it
 */

/**
 * The hero takes three fifths; beside it stand as many of the next smaller figures as its height holds.
 *
 * @param {{ size: string, height: number }[]} figures in their order
 * @returns {Placement[]} for each of them
 */
export function placeFigures(figures) {
  const hero = figures.findIndex((figure) => figure.size === "hero");
  const beside = hero < 0 ? 0 : countBeside(figures[hero], figures.slice(hero + 1));
  const placements = figures.map((figure, index) => {
    /** @type {Placement} */
    const placement = { place: figure.size, height: figure.height };
    if (index === hero) placement.place = beside ? "hero" : "full";
    else if (index > hero && index <= hero + beside) placement.place = "beside";
    return placement;
  });
  if (beside) {
    placements[hero].rows = beside;
    const column = figures.slice(hero + 1, hero + 1 + beside);
    const available = figures[hero].height - BETWEEN * (beside - 1);
    const asked = column.reduce((sum, figure) => sum + figure.height, 0);
    const shares = column.map((figure) => Math.floor((available * figure.height) / asked));
    if (Math.min(...shares) > SHORTEST) shares.forEach((share, index) => (placements[hero + 1 + index].height = share));
  }
  return placements;
}

/**
 * How many of the figures after the hero stand beside it.
 *
 * @param {{ height: number }} hero
 * @param {{ size: string, height: number }[]} figures
 */
function countBeside(hero, figures) {
  const available = hero.height + HEADS;
  let used = 0;
  let count = 0;
  for (const figure of figures) {
    const height = figure.height + HEADS;
    if (!["half", "third"].includes(figure.size) || (count && used + height > available + 40)) break;
    used += height;
    count++;
    if (used >= available - 60) break;
  }
  return count;
}
