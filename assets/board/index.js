/**
 * The component that Streamlit mounts. There is one board per element; the element has it as its `torchroom`, and
 * `element.torchroom.settled` resolves when the board shows the newest it has.
 *
 * @import { Component } from "./types.d.ts"
 */

import { Board } from "./board.js";

const LINGER = 1000; // ms a board lives on after it was taken off the page: Streamlit may put it back

/** @typedef {HTMLElement & { torchroom?: Board }} Mounted */

/** @type {{ torchroom: { boards: Board[], board: Board | null } }} */
const page = /** @type {any} */ (window);
page.torchroom ??= { boards: [], board: null };

/**
 * Called by Streamlit at first and again after every rerun and change of theme. Returns what to call when the component
 * goes.
 *
 * @param {Component} component
 */
export default function mount(component) {
  const parent = /** @type {Mounted} */ (component.parentElement);
  const board = boardOf(parent, component);
  board.name = component.key;
  parent.torchroom = board;
  page.torchroom.board = board;
  return () => {
    clearTimeout(board.leaving);
    board.leaving = setTimeout(() => {
      board.leaving = 0;
      destroy(board);
    }, LINGER);
  };
}

/**
 * The board of an element: the one it has, one that was taken off the page a moment ago, or a new one.
 *
 * @param {Mounted} parent
 * @param {Component} component
 */
function boardOf(parent, component) {
  const { boards } = page.torchroom;
  let board = parent.torchroom;
  if (board && (board.gone || board.constructor !== Board)) {
    destroy(board); // made by an older version of the modules
    board = undefined;
  }
  if (!board) {
    board = boards.find((other) => {
      return other.leaving && other.name === component.key && !other.parent.isConnected && other.constructor === Board;
    });
    if (board) board.adopt(parent);
  }
  if (board) {
    clearTimeout(board.leaving);
    board.leaving = 0;
    board.update(component);
  } else {
    board = new Board(parent, component);
    boards.push(board);
  }
  return board;
}

/** @param {Board} board */
function destroy(board) {
  board.destroy();
  const { boards } = page.torchroom;
  boards.splice(0, Infinity, ...boards.filter((other) => other !== board));
}
