/** Text that fits its place on a canvas. */

/** @typedef {(text: string) => number} Measure the width of a text in px */

/** A Latin word with the space before it, or one Chinese character with the punctuation that belongs to it. */
const WORD = / *([\u2e80-\uffff](?![\u3001\u3002\uff00-\uffef])|[\u2e80-\uffff]{2}|[^\u2e80-\uffff ]+( %)?)/g;

/**
 * A text in lines that fit: broken between words, Chinese between any two characters.
 *
 * @param {Measure} measure
 * @param {string} text
 * @param {number} width in px
 */
export function wrapText(measure, text, width) {
  return text.split("\n").flatMap((paragraph) => {
    const lines = [""];
    for (const word of paragraph.match(WORD) ?? []) {
      const last = lines[lines.length - 1];
      if (!last || measure(last + word) <= width) lines[lines.length - 1] += word;
      else lines.push(word.trimStart());
    }
    return lines;
  });
}

/**
 * A text cut to fit, with "…" at its end.
 *
 * @param {Measure} measure
 * @param {string} text
 * @param {number} width in px
 */
export function fitText(measure, text, width) {
  if (measure(text) <= width) return text;
  let cut = text;
  while (cut.length > 1 && measure(`${cut}…`) > width) cut = cut.slice(0, -1);
  return `${cut}…`;
}

/**
 * The width of the widest of these texts.
 *
 * @param {Measure} measure
 * @param {string[]} texts
 */
export const widest = (measure, texts) => Math.max(0, ...texts.map(measure));
