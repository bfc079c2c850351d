import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { escapeControls, lastLines, quote, sh } from "../../providers/plan/quote.ts";

test("plain words stay readable, others are quoted", () => {
  const table: [string, string][] = [
    ["/etc/haproxy/haproxy.cfg", "/etc/haproxy/haproxy.cfg"],
    ["https://192.168.55.8:2379", "https://192.168.55.8:2379"],
    ["", "''"],
    ["a b", "'a b'"],
    ["it's", `'it'\\''s'`],
    ["A=b", "'A=b'"],
    ["~/x", "'~/x'"],
    ["$(reboot)", "'$(reboot)'"],
    ["a\nb", "'a\nb'"],
  ];
  for (const [word, quoted] of table) assert.equal(quote(word), quoted);
});

test("what no shell word can hold is refused", () => {
  assert.throws(() => quote("a\0b"), { name: "Refusal", message: /NUL/ });
  assert.throws(() => quote("\ud800"), { name: "Refusal", message: /Unicode/ });
});

test("sh quotes every value, arrays as several words", () => {
  assert.equal(sh`mv -- ${"/a b"} ${"/c"}`, "mv -- '/a b' /c");
  assert.equal(sh`rm ${["x", "y z", ""]} # ${3}`, "rm x 'y z' '' # 3");
  assert.equal(sh`true`, "true");
  assert.equal(sh`echo ${[]}`, "echo ");
  assert.throws(() => sh`echo ${"\0"}`, { name: "Refusal" });
});

test("a real sh gives every argument back unchanged", () => {
  const word = fc
    .oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }))
    .filter((w) => !/\0|\p{Surrogate}/u.test(w));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (words) => {
      const out = execFileSync("/bin/sh", ["-c", sh`printf '%s\\0' ${words}`], { encoding: "utf8" });
      assert.deepEqual(out.split("\0").slice(0, -1), words);
    }),
    { numRuns: 300 },
  );
});

test("control characters are shown, not obeyed", () => {
  assert.equal(escapeControls("\x1b[2Jx\x07\x9b1m\x7f"), "\\x1b[2Jx\\x07\\x9b1m\\x7f");
  assert.equal(escapeControls("a\u202eb\u2066"), "a\\u202eb\\u2066");
  assert.equal(escapeControls("a\tb\nc\rd"), "a\\x09b\\x0ac\\x0dd");
  assert.equal(escapeControls("a\tb\nc\rd", true), "a\tb\nc\\x0dd");
  assert.equal(escapeControls("Grüße, 日本 ok"), "Grüße, 日本 ok");
});

test("the last lines", () => {
  assert.deepEqual(lastLines("a\nb\r\nc\n\n", 2), ["b", "c"]);
  assert.deepEqual(lastLines("a", 5), ["a"]);
  assert.deepEqual(lastLines(" \n", 5), []);
  assert.equal(lastLines("x".repeat(1000), 1)[0]?.length, 401);
});
