import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: [".venv/", "build/", "shared/"] },
  js.configs.recommended,
  {
    files: ["assets/board/**/*.js"],
    languageOptions: { ecmaVersion: 2023, sourceType: "module", globals: globals.browser },
    rules: {
      eqeqeq: "error",
      "prefer-const": "error",
      "no-var": "error",
      "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "max-lines": ["error", 320],
    },
  },
];
