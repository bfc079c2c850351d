import eslint from "@eslint/js";
import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

/** What `providers/plan/` may not touch: the plan is data, and data needs no world. node:crypto is there for its hashes. */
const effects = {
  patterns: [
    { group: ["**/remote/**"], message: "the plan is pure: effects live in providers/remote/" },
    { group: ["@pulumi/*", "ssh2"], message: "the plan is pure: it knows neither the engine nor SSH" },
    {
      group: ["node:*", "fs", "fs/*", "child_process", "net", "os", "process", "timers", "path", "!node:crypto"],
      message: "the plan is pure: no file, process, network or environment",
    },
    { group: ["node:crypto"], importNamePattern: "^random|^generate|^get", message: "the plan is pure: no chance" },
  ],
};
const effectGlobals = ["process", "globalThis", "fetch", "performance", "console", "crypto"];
const timers = ["setTimeout", "setInterval", "setImmediate", "queueMicrotask"];
const impureSyntax = [
  ["NewExpression[callee.name='Date'][arguments.length=0]", "no clock"],
  ["CallExpression[callee.name='Date']", "no clock"],
  ["MemberExpression[object.name='Date'][property.name='now']", "no clock"],
  ["MemberExpression[object.name='Math'][property.name='random']", "no chance"],
  ["ImportExpression", "no loading at run time"],
].map(([selector, reason]) => ({ selector, message: `the plan is pure: ${reason}` }));

const onlyRemoteSpeaksSSH = { paths: [{ name: "ssh2", message: "only providers/remote/ speaks SSH" }] };
const nodeTests = { from: "package", package: "node:test", name: ["test", "it", "describe", "suite"] };

export default defineConfig(
  globalIgnores(["node_modules/", ".lab/", "backups/"]),
  eslint.configs.recommended,
  {
    files: ["**/*.ts", "**/*.mts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/no-unnecessary-condition": ["error", { allowConstantLoopConditions: true }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "no-control-regex": "off",
    },
  },
  {
    files: ["providers/**", "components/**", "index.ts", "lab/**", "tools/**"],
    ignores: ["providers/remote/**", "providers/plan/**"],
    rules: { "no-restricted-imports": ["error", onlyRemoteSpeaksSSH] },
  },
  {
    files: ["providers/plan/**"],
    rules: {
      "no-restricted-imports": ["error", effects],
      "no-restricted-globals": ["error", ...effectGlobals, ...timers],
      "no-restricted-syntax": ["error", ...impureSyntax],
    },
  },
  {
    // what is serialized into the state knows no types, and no import that Pulumi would have to follow
    files: ["providers/dynamic.ts"],
    rules: Object.fromEntries(
      ["explicit-any", "require-imports", "unsafe-member-access", "unsafe-return", "unsafe-call"]
        .map((rule) => [`@typescript-eslint/no-${rule}`, "off"])
        .concat([["@typescript-eslint/require-await", "off"]]),
    ),
  },
  {
    files: ["tests/**"],
    rules: { "@typescript-eslint/no-floating-promises": ["error", { allowForKnownSafeCalls: [nodeTests] }] },
  },
  {
    files: ["**/*.js", "**/*.mjs"],
    languageOptions: { globals: { process: "readonly", console: "readonly", Buffer: "readonly", URL: "readonly" } },
  },
);
