import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setAsideScript } from "../../providers/plan/etcd-data-script.ts";
import { PlayedHost, shells } from "./played-host.ts";

for (const shell of shells)
  describe(`etcd's data set aside, by ${shell}`, () => {
    let host: PlayedHost;
    const run = () =>
      host.run(
        setAsideScript({
          from: host.at("etcd of it/member"),
          to: host.at("etcd of it/member.removed-run"),
          manifest: host.at("pods/etcd.yaml"),
        }),
        shell,
      );
    const ss = (lines: string) => host.fake("ss", `echo 'State Recv-Q Send-Q'; ${lines}`);
    beforeEach(() => {
      host = new PlayedHost();
      host.file("etcd of it/member/snap/db", "data");
      ss(":");
    });
    afterEach(() => host.remove());

    it("renamed, with all that is in it; again: already so", async () => {
      for (let times = 0; times < 2; times++) {
        const { code, stderr } = await run();
        assert.deepEqual([code, stderr], [0, ""]);
        assert.equal(host.read("etcd of it/member.removed-run/snap/db"), "data");
        assert.equal(host.read("etcd of it/member/snap/db"), "");
      }
    });
    const cases: [what: string, so: () => unknown, told: RegExp][] = [
      ["its manifest is there", () => host.file("pods/etcd.yaml", ""), /^etcd\.yaml is still among the static pods$/m],
      ["its port is open", () => ss("echo 'LISTEN 0 4096 *:2379'"), /^port 2379 is still open$/m],
      ["nobody can tell whether it is", () => ss("exit 3"), /^$/],
      [
        "the name is taken",
        () => host.file("etcd of it/member.removed-run", "x"),
        /member\.removed-run is there already$/m,
      ],
    ];
    for (const [what, so, told] of cases)
      it(`not done: ${what}`, async () => {
        so();
        const { code, stderr } = await run();
        assert.equal(code, 1);
        assert.match(stderr, told);
        assert.equal(host.read("etcd of it/member/snap/db"), "data");
      });
  });
