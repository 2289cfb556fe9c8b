/** Numbers as text, written as lessons/board/readings.py writes them. */

const SUPERSCRIPTS = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹";

/**
 * `value` where it lies between the bounds, else the nearer of them.
 *
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/**
 * A number as text. `form`: "%" a percentage with one decimal, "0" an integer, "4" so many significant digits (3
 * unless told).
 *
 * @param {number} value
 * @param {string} [form]
 */
export function number(value, form = "") {
  const [mantissa, exponent] = ascii(value, form).replaceAll("-", "−").split("e");
  if (!exponent) return mantissa;
  return `${mantissa}×10${exponent.replace(/./g, (sign) => SUPERSCRIPTS["−0123456789".indexOf(sign)])}`;
}

/**
 * The same with a hyphen for minus and "e" before the exponent.
 *
 * @param {number} value
 * @param {string} form
 */
function ascii(value, form) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  if (form === "%") return `${roundHalfEven(100 * value, 1, "toFixed")} %`;
  if (form === "0") return integer(value);
  const digits = Number(form || 3);
  const scientific = roundHalfEven(value, digits - 1, "toExponential");
  const rounded = Number(scientific);
  if (rounded === 0) return "0";
  const size = Math.abs(rounded);
  if (1e-4 <= size && size < 1e6) {
    if (size >= 10 ** digits || Number.isInteger(rounded)) return integer(rounded);
    return trimZeros(rounded.toFixed(Math.max(0, digits - 1 - Number(scientific.split("e")[1]))));
  }
  const [mantissa, exponent] = scientific.split("e");
  return `${trimZeros(mantissa)}e${Number(exponent)}`;
}

/** @param {string} text */
const trimZeros = (text) => (text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text);

/** @param {number} value */
const integer = (value) => roundHalfEven(value, 0, "toFixed").replace(/^-0$/, "0");

/**
 * `toFixed` or `toExponential`, but a tie goes to the even digit, as in Python.
 *
 * @param {number} value
 * @param {number} digits
 * @param {"toFixed" | "toExponential"} method
 */
function roundHalfEven(value, digits, method) {
  if (method === "toFixed" && Math.abs(value) >= 1e21) {
    return String(BigInt(value)) + (digits ? "." + "0".repeat(digits) : "");
  }
  const text = value[method](digits);
  const [mantissa, exponent = ""] = text.split("e");
  const [exact] = value[method](digits + 22).split("e");
  const tie = exact.endsWith("5" + "0".repeat(21));
  const last = Number(mantissa.at(-1));
  if (!tie || last % 2 === 0) return text;
  return mantissa.slice(0, -1) + (last - 1) + (exponent && `e${exponent}`);
}

/**
 * A number as short as the cell of a map needs it.
 *
 * @param {number} value
 */
export const shortNumber = (value) =>
  Number.isInteger(value) && Math.abs(value) < 1e5 ? String(value) : number(value, "2");

/**
 * A number to the last digit that a 32-bit float means.
 *
 * @param {number} value
 */
export const exactNumber = (value) =>
  Number.isFinite(value) ? String(Number(value.toPrecision(7))).replace("-", "−") : number(value);
