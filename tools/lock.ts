/** `npm run lock -- show | clear`: who holds the lock on each declared master; and the lock of an owner who is proved to be gone, cleared. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { showLook } from "../providers/plan/lock-look.ts";
import { lockPath } from "../providers/plan/lock-script.ts";
import { escapeControls } from "../providers/plan/quote.ts";
import { messageOf, Refusal } from "../providers/plan/refusal.ts";
import { clearOn, lookAt } from "../providers/remote/lock-look.ts";
import { Connections, type RemoteHost } from "../providers/remote/ssh.ts";
import { here } from "../providers/remote/this-process.ts";
import { main } from "./say.ts";
import { settingsOf, stackFile } from "./stack-settings.ts";

const usage = "usage: npm run lock -- show | clear [--stack <name> | --config-file <path>]";

interface Order {
  readonly verb: "show" | "clear";
  readonly stack: string | undefined;
  readonly configFile: string | undefined;
}

/** @throws Refusal with the usage */
export function orderOf(words: readonly string[]): Order {
  const text = { type: "string" } as const;
  try {
    const options = { stack: text, "config-file": text } as const;
    const { values, positionals } = parseArgs({ args: [...words], options, allowPositionals: true });
    const [verb, ...more] = positionals;
    if (more.length > 0 || (verb !== "show" && verb !== "clear")) throw new Error("show or clear?");
    return { verb, stack: values.stack, configFile: values["config-file"] };
  } catch (error) {
    throw new Refusal(`${messageOf(error)}\n${usage}`);
  }
}

const checkout = fileURLToPath(new URL("..", import.meta.url));

async function lock(): Promise<number> {
  const order = orderOf(process.argv.slice(2));
  const settings = settingsOf(stackFile(checkout, order), process.env);
  const connections = new Connections(settings.ssh as ConstructorParameters<typeof Connections>[0]);
  const hosts = Object.entries(settings.masters).map(([name, { address }]) => connections.host({ name, address }));
  try {
    const good = await Promise.all(
      hosts.map(async (host) => tell(host, await (order.verb === "show" ? show : clear)(host))),
    );
    return good.every(Boolean) ? 0 : 1;
  } finally {
    await connections.close();
  }
}

/** What is told of a host; `good` = as it was asked for. */
interface Told {
  readonly good: boolean;
  readonly lines: readonly string[];
}

async function show(host: RemoteHost): Promise<Told> {
  try {
    return { good: true, lines: showLook(await lookAt(host), here()) };
  } catch (error) {
    return failed(error);
  }
}

async function clear(host: RemoteHost): Promise<Told> {
  try {
    const before = showLook(await lookAt(host), here());
    const cleared = await clearOn(host, here);
    if (cleared.did === "free") return { good: true, lines: ["free"] };
    if (cleared.did === "kept")
      return { good: false, lines: [...before.slice(0, -1), `  not cleared: ${cleared.why}`] };
    return {
      good: true,
      lines: [...before.slice(0, -1), `  cleared: ${cleared.proof}; its holder was ended, ${lockPath} itself stays`],
    };
  } catch (error) {
    return failed(error);
  }
}

const failed = (error: unknown): Told => ({ good: false, lines: [`cannot be told: ${messageOf(error)}`] });

function tell({ name }: RemoteHost, { good, lines }: Told): boolean {
  const [first = "", ...more] = lines.map((line) => escapeControls(line, true));
  console.log([`${name}: ${first}`, ...more].join("\n"));
  return good;
}

if (process.argv[1] === join(import.meta.dirname, "lock.ts")) await main(lock);
