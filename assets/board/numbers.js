/** Numbers as text, as lessons/reading.py writes them. */

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** A number as lessons/reading.py writes it: "%" one decimal of a percent, "0" whole, "4" significant digits. */
export function number(value, form = "") {
  const [mantissa, exponent] = plain(value, form).replaceAll("-", "−").split("e");
  return exponent
    ? `${mantissa}×10${exponent.replace(/./g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["−0123456789".indexOf(sign)])}`
    : mantissa;
}

function plain(value, form) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  if (form === "%") return `${even(100 * value, 1, "toFixed")} %`;
  if (form === "0") return whole(value);
  const digits = Number(form || 3);
  const short = even(value, digits - 1, "toExponential");
  const rounded = Number(short);
  if (rounded === 0) return "0";
  const size = Math.abs(rounded);
  if (1e-4 <= size && size < 1e6) {
    if (size >= 10 ** digits || Number.isInteger(rounded)) return whole(rounded);
    return bare(rounded.toFixed(Math.max(0, digits - 1 - Number(short.split("e")[1]))));
  }
  const [mantissa, exponent] = short.split("e");
  return `${bare(mantissa)}e${Number(exponent)}`;
}

const bare = (text) => (text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text);
const whole = (value) => even(value, 0, "toFixed").replace(/^-0$/, "0");

/** toFixed or toExponential, but a tie goes to the even digit, as in Python. */
function even(value, digits, how) {
  if (how === "toFixed" && Math.abs(value) >= 1e21)
    return String(BigInt(value)) + (digits ? "." + "0".repeat(digits) : "");
  const text = value[how](digits);
  const [mantissa, exponent = ""] = text.split("e");
  const [exact] = value[how](digits + 22).split("e");
  const tie = exact.endsWith("5" + "0".repeat(21));
  const last = Number(mantissa.at(-1));
  if (!tie || last % 2 === 0) return text;
  return mantissa.slice(0, -1) + (last - 1) + (exponent && `e${exponent}`);
}

/** A number in the room of a cell. */
export const short = (value) => (Number.isInteger(value) && Math.abs(value) < 1e5 ? String(value) : number(value, "2"));
/** A number to its last meaningful digit. */
export const exact = (value) =>
  Number.isFinite(value) ? String(Number(value.toPrecision(7))).replace("-", "−") : number(value);
