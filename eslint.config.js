import js from "@eslint/js";
import globals from "globals";

const rules = {
  eqeqeq: "error",
  "prefer-const": "error",
  "no-var": "error",
  "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
  "max-lines": ["error", 320],
};

export default [
  { ignores: [".venv/", "build/", "shared/", "node_modules/"] },
  js.configs.recommended,
  {
    files: ["assets/board/**/*.js"],
    languageOptions: { ecmaVersion: 2023, sourceType: "module", globals: globals.browser },
    rules,
  },
  {
    files: ["tests/js/**/*.js"],
    languageOptions: { ecmaVersion: 2023, sourceType: "module", globals: globals.node },
    rules,
  },
];
