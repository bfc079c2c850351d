import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { dropHost, hasHost, restoreHost, serversOf, setDisabled } from "../../providers/plan/haproxy.ts";
import { type Form, forms, type Refused, textOf } from "./haproxy-forms.ts";

const isRefused = (drop: Form["drop"]): drop is Refused => "words" in drop;

function withoutLines(text: string, numbers: readonly number[]): string {
  return text
    .split(/(?<=\n)/)
    .filter((_, at) => !numbers.includes(at + 1))
    .join("");
}

function assertRefused(action: () => unknown, { line, words }: Refused): void {
  assert.throws(action, (error: Error) => {
    assert.equal(error.name, "Refusal");
    assert.match(error.message, new RegExp(`^haproxy\\.cfg line ${line} \\(`));
    assert.match(error.message, words);
    return true;
  });
}

function assertDropped(config: string, { who }: Form, lines: readonly number[]): void {
  const { text, dropped } = dropHost(config, who);
  assert.deepEqual(
    dropped.map(({ line }) => line),
    lines,
  );
  assert.equal(text, withoutLines(config, lines));
  assert.equal(hasHost(config, who), lines.length > 0);
  assert.equal(hasHost(text, who), false);
  assert.deepEqual(dropHost(text, who), { text, dropped: [] });
  assert.deepEqual(restoreHost(text, config, who), { text: config, restored: dropped });
}

/** The host's servers go out of service and come back; nothing else changes, and no other server's state. */
function assertSwitched(config: string, { who }: Form): void {
  const out = setDisabled(config, who, true);
  const changed = out.changed.map(({ line }) => line);
  assert.equal(withoutLines(out.text, changed), withoutLines(config, changed));
  const before = serversOf(config);
  for (const [at, server] of serversOf(out.text).entries())
    assert.equal(server.disabled, changed.includes(server.line) || before[at]?.disabled, `line ${server.line}`);
  assert.deepEqual(setDisabled(out.text, who, true), { text: out.text, changed: [] });
  assert.equal(setDisabled(out.text, who, false).text, config);
}

describe("forms of haproxy.cfg", () => {
  for (const form of forms) {
    const config = textOf(form.file);
    const what = `${form.file} without ${form.who.name}`;
    it(`${what}: ${isRefused(form.drop) ? "refused" : `lines ${form.drop.join(", ") || "none"}`}`, () => {
      const { drop } = form;
      if (isRefused(drop)) assertRefused(() => dropHost(config, form.who), drop);
      else assertDropped(config, form, drop);
    });

    it(`${what}: out of service and back`, () => {
      const { disabling, enabling } = form;
      if (disabling) assertRefused(() => setDisabled(config, form.who, true), disabling);
      if (enabling) assertRefused(() => setDisabled(config, form.who, false), enabling);
      if (!disabling && !enabling) assertSwitched(config, form);
    });
  }

  it("each file has a host of at least three, or says why not", () => {
    // a pool of one or two cannot show that the neighbours stay; the template has as many as DNS says
    const fewer = ["refused-template.cfg", "template-of-all.cfg", "split/haproxy.cfg"];
    for (const { file } of forms.filter((form) => !fewer.includes(form.file)))
      assert.ok(new Set(serversOf(textOf(file)).map(({ address }) => address)).size >= 3, file);
  });
});
