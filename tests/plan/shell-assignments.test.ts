import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { dropItems, effectiveAssignment } from "../../providers/plan/shell-assignments.ts";

const value = (text: string): string | undefined => effectiveAssignment(text, "KEY")?.value;
const refuses = (text: string, message: RegExp): void =>
  assert.throws(() => effectiveAssignment(text, "KEY"), { name: "Refusal", message });

const READ: [text: string, value: string | undefined, line?: number][] = [
  ["", undefined],
  ["KEY=a,b\n", "a,b", 1],
  ["KEY=a,b", "a,b", 1],
  ["#KEY=old\n  export KEY='a,b'  # KEY=other\n", "a,b", 2],
  ['\tKEY="a,b"\r\nNEXT=1\r\n', "a,b", 1],
  ["KEY=a\r\nKEY=b\r\n", "b", 2],
  [`KEY="a,"'b,'c\n`, "a,b,c", 1],
  [`KEY="it's"\n`, "it's", 1],
  ["KEY=a#b\n", "a#b", 1],
  ["KEY=\n", "", 1],
  ['KEY=""\n', "", 1],
  ["KEY='$x `y` \\z'\n", "$x `y` \\z", 1],
  ["KEY=a\nexport KEY\n", "a", 1],
  ["KEYS=a\nMY_KEY=b\nKEY_2=c\n", undefined],
  ["OTHER='x KEY=y'\n", undefined],
  ["KEY=$X\nKEY=a\n", "a", 2],
  ["if true; then\n  OTHER=1\nfi\nKEY=a\n", "a", 4],
  ["f() {\n  OTHER=1\n}\nKEY=a\n", "a", 4],
  ["case $x in\n a) OTHER=1 ;;\nesac\nKEY=a\n", "a", 4],
  ["OTHER=$(hostname)\nKEY=a\n", "a", 2],
  ['OTHER="two\nlines"\nKEY=a\n', "a", 3],
  ["OTHER=two\\\nlines\nKEY=a # it's\n", "a", 3],
];

for (const [text, expected, line] of READ) {
  test(`reads ${JSON.stringify(text)}`, () => {
    assert.equal(value(text), expected);
    assert.equal(effectiveAssignment(text, "KEY")?.line, line);
  });
}

const REFUSED: [text: string, message: RegExp][] = [
  ["KEY=$A\n", /line 1: .*KEY.*expansion/],
  ['\nKEY="a,$B"\n', /line 2: .*KEY.*expansion/],
  [`KEY="it's $x, isn't it"\n`, /line 1: .*expansion/],
  ["KEY=`cat x`\n", /expansion/],
  ["KEY=$(cat x)\n", /expansion/],
  ["KEY=a,\\\nb\n", /line 1: .*backslash continues/],
  ["KEY=a\\ b\n", /backslash/],
  ['KEY="a\n', /line 1: .*KEY.*not balanced/],
  ['KEY="a,\nb"\n', /line 1: .*KEY.*not balanced/],
  ["KEY='a\n", /not balanced/],
  ["KEY=a\nKEY+=,b\n", /line 2: .*KEY\+= appends/],
  ["KEY=a; B=c\n", /more than one/],
  ["true && KEY=a\n", /more than one/],
  ["KEY=a B=c\n", /more than one/],
  ["KEY=a command\n", /more than one/],
  ["export OTHER KEY=a\n", /line 1: .*KEY.*more than one/],
  ["KEY=(a b)\n", /more than one/],
  ["KEY=a\nunset KEY\n", /line 2: .*more than one/],
  ["KEY=a\nreadonly KEY=b\n", /line 2/],
  ["KEY=a\neval 'KEY=b'\n", /line 2/],
  ["if test -e x\nthen\n  KEY=a\nfi\n", /line 3: .*conditional/],
  ["for x in a b; do\nKEY=a\ndone\n", /line 2: .*loop/],
  ["f() {\nKEY=a\n}\n", /line 2: .*function/],
  ["case x in\n y)\nKEY=a\n;;\nesac\n", /line 3/],
  ["(\nKEY=a\n)\n", /line 2/],
  ["cat <<EOF\nKEY=a\nEOF\n", /line 2: .*here-document/],
  ['OTHER="x\nKEY=a"\n', /line 2: .*earlier line/],
  ["OTHER=x\\\nKEY=a\n", /line 2: .*earlier line/],
  ['OTHER="never closed\nKEY=a\n', /line 2: .*earlier line/],
];

for (const [text, message] of REFUSED) test(`refuses ${JSON.stringify(text)}`, () => refuses(text, message));

const DROPS: [text: string, leaving: string[], after: string][] = [
  ["KEY=a,b,c", ["b"], "KEY=a,c"],
  ["KEY=a,b,c\r\n", ["c"], "KEY=a,b\r\n"],
  ["KEY=a,b,c # b\n", ["a"], "KEY=b,c # b\n"],
  ["KEY=a,b,c\n", ["b", "c"], "KEY=a\n"],
  ["KEY=b,a,b\n", ["b"], "KEY=a\n"],
  ['KEY="a, b, c"\n', ["c"], 'KEY="a, b"\n'],
  [`KEY="a","b",'c'\n`, ["b"], `KEY="a",'c'\n`],
  [`KEY="a",'c'\n`, ["c"], `KEY="a"\n`],
  ['KEY="a"\n', ["a"], 'KEY=""\n'],
  ["KEY=a,\n", ["a"], "KEY=\n"],
  ["KEY=b\nKEY=a,b\n", ["b"], "KEY=b\nKEY=a\n"],
  ["KEY=a,b😀,c\n", ["b😀"], "KEY=a,c\n"],
];

for (const [text, leaving, after] of DROPS) {
  test(`drops ${leaving.join()} from ${JSON.stringify(text)}`, () => {
    const assignment = effectiveAssignment(text, "KEY");
    assert.ok(assignment);
    assert.equal(dropItems(text, assignment, (item) => leaving.includes(item)).text, after);
  });
}

test("agrees with the shell about every file it does not refuse", () => {
  const lines = [
    ...READ.flatMap(([text]) => text.split(/\r?\n/)),
    ...REFUSED.flatMap(([text]) => text.split("\n")),
    ...["fi", "}", ")", '"', "'", "# don't", "KEY=x", 'KEY="y,z" # c', "export KEY='q'", "true", "if true; then", "{"],
  ].filter((line) => !/cat|hostname/.test(line));
  let agreed = 0;
  const property = fc.property(fc.array(fc.constantFrom(...lines), { maxLength: 7 }), (file) => {
    const text = file.join("\n");
    const read = attempt(() => value(text) ?? "unset");
    const run = spawnSync("sh", ["-c", 'eval "$CONF"\nprintf "\\n[%s]" "${KEY-unset}"'], {
      env: { CONF: text },
      encoding: "utf8",
    });
    if (read === undefined || run.status !== 0 || run.stderr !== "") return;
    agreed++;
    assert.equal(run.stdout.slice(run.stdout.lastIndexOf("\n[") + 1), `[${read}]`, text);
  });
  fc.assert(property, { numRuns: 2500 });
  assert.ok(agreed > 300, `only ${agreed} files compared`);
});

const item = fc.stringMatching(/^[a-z0-9:/=.[\]-]{1,12}$/);

test("a drop is what filtering the list is, whatever the quoting, and touches nothing else", () => {
  const piece = fc.constantFrom("", "'", '"');
  const cut = fc.array(fc.tuple(fc.nat(60), piece), { maxLength: 4 });
  const noise = fc.constantFrom("", "#KEY=x\n", "OTHER='a b'\r\n", "\n", "KEY=earlier\n");
  fc.assert(
    fc.property(
      fc.array(item, { minLength: 1, maxLength: 6 }),
      cut,
      noise,
      noise,
      fc.func(fc.boolean()),
      (items, cuts, before, after, leaves) => {
        const head = `${before}export KEY=`;
        const tail = ` # end\n${after.replace("KEY=e", "KEX=e")}`;
        const text = head + quoteInPieces(items.join(","), cuts) + tail;
        const assignment = effectiveAssignment(text, "KEY");
        assert.ok(assignment);
        const result = dropItems(text, assignment, leaves);
        assert.ok(result.text.startsWith(head) && result.text.endsWith(tail));
        const again = effectiveAssignment(result.text, "KEY");
        assert.ok(again);
        assert.equal(again.value, items.filter((each) => !leaves(each)).join(","));
        assert.equal(dropItems(result.text, again, leaves).text, result.text);
        if (result.dropped.length === 0) assert.equal(result.text, text);
      },
    ),
    { numRuns: 3000 },
  );
});

function quoteInPieces(joined: string, cuts: readonly (readonly [number, string])[]): string {
  const sorted = [...cuts].sort(([a], [b]) => a - b);
  const starts = [0, ...sorted.map(([at]) => at), joined.length];
  const quotes = ["", ...sorted.map(([, quote]) => quote)];
  return quotes.map((quote, index) => quote + joined.slice(starts[index], starts[index + 1]) + quote).join("");
}

function attempt(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
