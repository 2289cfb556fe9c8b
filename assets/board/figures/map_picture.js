/**
 * What all parts of a map's drawing are made from.
 *
 * @import { MapSpec } from "../schema.d.ts"
 * @import { Theme } from "../types.d.ts"
 * @import { MapPlan, Tiles } from "./map_layout.js"
 */

/**
 * What a painting is made from.
 *
 * @typedef {object} MapPicture
 * @property {CanvasRenderingContext2D} context
 * @property {MapSpec} spec
 * @property {MapPlan} plan
 * @property {Tiles} tiles
 * @property {string[]} captions
 * @property {string[]} rows
 * @property {string[]} columns
 * @property {string} colors name of the ramp, or "rgb"
 * @property {[number, number] | null | undefined | false} span what bytes stand for
 * @property {Theme} theme
 */

/**
 * @param {MapPicture} picture
 * @param {number} size in px
 */
export function setFont({ context, theme }, size) {
  context.font = `${size}px ${theme.font}`;
}
