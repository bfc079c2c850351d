// `npm run pulumi -- <args>`: the engine on the user's own stack, wherever it came from.
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { engine } from "./engine.ts";
import { main } from "./say.ts";

await main(async () => {
  const { bin, env } = await engine();
  process.chdir(fileURLToPath(new URL("..", import.meta.url)));
  const pulumi = join(bin.split(delimiter)[0] ?? "", "pulumi");
  // becoming pulumi, instead of starting it, leaves the terminal, the signals and the exit code to it alone
  if (process.execve === undefined) throw new Error("process.execve is missing: not the Node of package.json");
  return process.execve(pulumi, ["pulumi", ...process.argv.slice(2)], { ...process.env, ...env });
});
