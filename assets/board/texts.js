/**
 * Texts of the interface.
 *
 * @import { Bilingual } from "./schema.d.ts"
 */

/**
 * A text with each {name} in it replaced.
 *
 * @param {string} template
 * @param {Record<string, unknown>} values
 */
export const fillTemplate = (template, values) =>
  template.replace(/\{(\w+)\}/g, (placeholder, name) => String(values[name] ?? placeholder));

/**
 * Words in a language; in English where they are not known in it.
 *
 * @param {Bilingual | null | undefined} words
 * @param {string} language
 */
export const inLanguage = (words, language) => (words ? words[language === "zh" ? "zh" : "en"] || words.en : "");
