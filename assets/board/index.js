/** The component that Streamlit mounts: one board per element. */

import { Board } from "./board.js";

const LINGER = 1000; // ms a board lives on after it was taken off the page: Streamlit may put it back

window.torchroom ??= { boards: [], of: new WeakMap(), board: null };

/** Streamlit calls this at first and again after every rerun and change of theme; there is one board per element. */
export default function mount(component) {
  const { parentElement } = component;
  const { boards, of } = window.torchroom;
  let board = of.get(parentElement);
  if (board && (board.gone || board.constructor !== Board)) {
    board.destroy(); // made by an older version of this file
    board = null;
  }
  if (!board) {
    // taken off the page a moment ago, and put back in another element
    board = boards.find(
      (one) => one.leaving && one.name === component.key && !one.parent.isConnected && one.constructor === Board,
    );
    if (board) board.adopt(parentElement);
  }
  if (board) {
    clearTimeout(board.leaving);
    board.leaving = 0;
    board.update(component);
  } else {
    board = new Board(parentElement, component);
    boards.push(board);
  }
  board.name = component.key;
  of.set(parentElement, board);
  window.torchroom.board = board;
  return () => {
    clearTimeout(board.leaving);
    board.leaving = setTimeout(() => {
      board.leaving = 0;
      board.destroy();
    }, LINGER);
  };
}
