import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { parse } from "yaml";
import { clientUrls, dropMaster, dropNoProxy, masterCountOf } from "../../providers/plan/master-config.ts";

const fixture = (name: string): string => readFileSync(new URL(`../fixtures/${name}`, import.meta.url), "utf8");
const stock = fixture("master-config.yaml");
const host = { name: "master-3.example.com", addresses: ["192.168.55.21"] };

test("takes the URL out and sets the count in the stock file, and nothing else", () => {
  const { text, dropped } = dropMaster(stock, host, 3);
  assert.equal(
    text,
    stock.replace("  - https://master-3.example.com:2379\n", "").replace("masterCount: 4", "masterCount: 3"),
  );
  assert.deepEqual(dropped, [
    { path: "etcdClientInfo.urls", value: "https://master-3.example.com:2379" },
    { path: "kubernetesMasterConfig.masterCount", value: "4" },
  ]);
  assert.deepEqual(dropMaster(text, host, 3), { text, dropped: [] });
  assert.deepEqual([clientUrls(text).length, masterCountOf(text)], [3, 3]);
});

test("CRLF stays CRLF", () => {
  const crlf = stock.replaceAll("\n", "\r\n");
  assert.equal(dropMaster(crlf, host, 3).text, dropMaster(stock, host, 3).text.replaceAll("\n", "\r\n"));
});

const urls = (list: string): string => `etcdClientInfo:\n  urls:${list}\nlast: 1 # end\n`;
const CASES: [what: string, before: string, after: string][] = [
  [
    "comments of other lines stay",
    "\n  # all\n  - https://a:1 # a\n  # gone\n  - https://192.168.55.21:2379 # c\n  # b\n  - https://b:1\n  # tail",
    "\n  # all\n  - https://a:1 # a\n  # gone\n  # b\n  - https://b:1\n  # tail",
  ],
  [
    "the first item, deeper, quoted",
    "\n    -   \"https://192.168.55.21:2379\"\n    -   'https://a:1'",
    "\n    -   'https://a:1'",
  ],
  [
    "two URLs of one host",
    "\n  - https://192.168.55.21:2379\n  - https://a:1\n  - https://MASTER-3.example.com:2379",
    "\n  - https://a:1",
  ],
  [
    "192.168.55.210 stays",
    "\n  - https://192.168.55.210:2379\n  - https://a:1",
    "\n  - https://192.168.55.210:2379\n  - https://a:1",
  ],
  ["flow, first", " [https://192.168.55.21:2379, https://a:1]", " [https://a:1]"],
  [
    "flow, middle",
    " [ https://a:1, 'https://192.168.55.21:2379', https://b:1 ] # x",
    " [ https://a:1, https://b:1 ] # x",
  ],
  ["flow, last", " [https://a:1, https://192.168.55.21:2379]", " [https://a:1]"],
  [
    "flow over lines",
    " [\n    https://a:1, # a\n    https://192.168.55.21:2379, # c\n    https://b:1\n  ]",
    " [\n    https://a:1, # a\n    https://b:1\n  ]",
  ],
  ["flow over lines, last", " [\n    https://a:1,\n    https://192.168.55.21:2379\n  ]", " [\n    https://a:1\n  ]"],
  [
    "an anchored list",
    " &etcd\n  - https://a:1\n  - https://192.168.55.21:2379\nsame: *etcd",
    " &etcd\n  - https://a:1\nsame: *etcd",
  ],
  ["no list", "", ""],
];
for (const [what, before, after] of CASES) {
  test(what, () => assert.equal(dropMaster(urls(before), host, 3).text, urls(after)));
}

test("JSON is YAML", () => {
  const json =
    '{"etcdClientInfo": {"urls": ["https://a:1","https://192.168.55.21:2379"]}, "kubernetesMasterConfig": {"masterCount": 4}}';
  assert.equal(
    dropMaster(json, host, 3).text,
    '{"etcdClientInfo": {"urls": ["https://a:1"]}, "kubernetesMasterConfig": {"masterCount": 3}}',
  );
});

test("the last item without a final newline", () => {
  assert.equal(
    dropMaster("etcdClientInfo:\n  urls:\n  - https://a:1\n  - https://192.168.55.21:1", host, 3).text,
    "etcdClientInfo:\n  urls:\n  - https://a:1\n",
  );
});

test("a count that is anchored or commented keeps both; an absent one stays absent", () => {
  assert.equal(
    dropMaster("kubernetesMasterConfig:\n  masterCount: &n 4 # four\n", host, 3).text,
    "kubernetesMasterConfig:\n  masterCount: &n 3 # four\n",
  );
  assert.deepEqual(dropMaster("kubernetesMasterConfig: {}\n", host, 3).dropped, []);
  assert.equal(masterCountOf("a: 1\n"), undefined);
  assert.equal(masterCountOf("kubernetesMasterConfig:\n"), undefined);
});

const REFUSED: [what: string, yaml: string, message: RegExp][] = [
  ["an empty file", "", /not a YAML mapping/],
  ["a list", "- a\n", /not a YAML mapping/],
  ["two documents", "a: 1\n---\nb: 1\n", /line 2: more than one/],
  ["a syntax error", 'a: 1\nb: "x\n', /line [23]: not valid YAML/],
  ["a duplicate key", "a: 1\nb: 2\na: 3\n", /line 3: not valid YAML: .*unique/],
  ["a duplicate list", urls("\n  - https://a:1\n  urls: []"), /line 4: not valid YAML/],
  ["no URL left", urls("\n  - https://192.168.55.21:2379"), /line 3: refusing to leave etcdClientInfo.urls empty/],
  [
    "no URL left in a flow",
    urls(" [https://master-3.example.com:1, https://192.168.55.21:2379]"),
    /line 2: refusing to leave/,
  ],
  ["an alias in the list", `u: &u https://a:1\n${urls("\n  - *u\n  - https://192.168.55.21:2379")}`, /line 4: .*alias/],
  ["an alias for the list", `u: &u [https://a:1]\n${urls(" *u")}`, /line 3: urls is an alias/],
  ["a merge key", "b: &b {urls: [https://a:1]}\netcdClientInfo:\n  <<: *b\n", /line 3: urls may come from a merge key/],
  [
    "a merge key of YAML 1.1",
    "%YAML 1.1\n---\nb: &b {urls: [https://a:1]}\netcdClientInfo:\n  <<: *b\n",
    /line 5: urls may come/,
  ],
  ["an anchored URL", urls("\n  - https://a:1\n  - &x https://192.168.55.21:2379"), /line 4: .*anchor/],
  ["a number in the list", urls("\n  - 1"), /line 3: .*not a plain URL/],
  ["a text for the list", urls(" https://a:1"), /line 2: .*not a list/],
  ["comments around the comma", urls(" [https://a:1, # x\n    https://192.168.55.21:2379]"), /line 3: .*comments/],
  ["a count in quotes", 'kubernetesMasterConfig:\n  masterCount: "4"\n', /line 2: .*whole number/],
  ["a count by alias", "n: &n 4\nkubernetesMasterConfig:\n  masterCount: *n\n", /line 3: masterCount is an alias/],
];
for (const [what, yaml, message] of REFUSED) {
  test(`refuses ${what}`, () => assert.throws(() => dropMaster(yaml, host, 3), { name: "Refusal", message }));
}

test("whatever the layout: the same data without the URL, other lines as they were, twice is once", () => {
  const url = fc.nat(25).map((n) => `https://192.168.55.${n}:2379`);
  const layout = fc.constantFrom("block", "indented", "flow", "commented");
  fc.assert(
    fc.property(
      fc.array(url, { maxLength: 6 }),
      layout,
      fc.constantFrom("\n", "\r\n"),
      fc.integer({ min: 1, max: 9 }),
      (list, form, eol, count) => {
        const file = (all: readonly string[]): string =>
          stock.replace(/ urls:\n(?: {2}- .*\n)+/, ` urls:${laidOut(all, form)}\n`).replaceAll("\n", eol);
        const all = ["https://a:1", ...list];
        const { text } = dropMaster(file(all), host, count);
        assert.equal(
          text,
          file(all.filter((each) => each !== "https://192.168.55.21:2379")).replace(
            "masterCount: 4",
            `masterCount: ${count}`,
          ),
        );
        assert.deepEqual(clientUrls(text), (parse(text) as { etcdClientInfo: { urls: string[] } }).etcdClientInfo.urls);
        assert.deepEqual(dropMaster(text, host, count), { text, dropped: [] });
      },
    ),
    { numRuns: 500 },
  );
});

function laidOut(all: readonly string[], form: string): string {
  if (form === "flow") return ` [${all.join(", ")}]`;
  const [head, tail] = form === "indented" ? ['\n      - "', '"'] : ["\n  - ", form === "commented" ? " # c" : ""];
  return all.map((url) => head + url + tail).join("");
}

test("NO_PROXY loses the host's exact items only", () => {
  const env = fixture("master.env");
  const { text, dropped } = dropNoProxy(env, host);
  assert.equal(text, env.replace("192.168.55.21,", "").replace(",master-3.example.com", ""));
  assert.deepEqual(
    dropped.map(({ value }) => value),
    ["192.168.55.21", "master-3.example.com"],
  );
  assert.deepEqual(dropNoProxy(text, host), { text, dropped: [] });
});

test("no_proxy as well, and it may become empty", () => {
  const { text, dropped } = dropNoProxy(
    "export no_proxy='192.168.55.21'\nNO_PROXY=.example.com,192.168.55.21/32",
    host,
  );
  assert.equal(text, "export no_proxy=''\nNO_PROXY=.example.com,192.168.55.21/32");
  assert.deepEqual(dropped, [{ key: "no_proxy", value: "192.168.55.21" }]);
});
