/** A run to be killed: does a step, begins another on the host, says so, and waits. Arguments: archive, SSH settings. */
import type { SshSettings } from "../../providers/remote/ssh.ts";
import { Recorded } from "./recorder.ts";

const [, , archive = "", settings = "{}"] = process.argv;
const run = new Recorded(archive, JSON.parse(settings) as SshSettings);
await run.begin();
const host = run.host("node-1");
await run.step("node-1", "first", () => host.run("true", { what: "changing", deadline: 60 }));
await run.step("node-1", "second", async () => {
  const { stdout } = await host.stream("echo begun; sleep 60", { what: "restarting", deadline: 60, idle: 60 });
  stdout.once("data", () => console.log("begun"));
  await new Promise((resolve) => setTimeout(resolve, 60_000));
});
