/** Static pods: off by moving the manifest, restarted one master at a time. */
import { clusterFacts } from "../../plan/facts.ts";
import { clusterProbe, paths } from "../../plan/probe.ts";
import { quote, sh } from "../../plan/quote.ts";
import type { HostIdentity } from "../../plan/host.ts";
import { isCalled } from "../../plan/same-host.ts";
import type { Step } from "../../plan/steps.ts";
import { putBack, takeOut } from "./balancer.ts";
import { type Context, hostOf, permit, until } from "./context.ts";

/** A manifest that is already in `disabled/` under its name is kept under a numbered one. */
const moveAway = (manifest: string): string => {
  const [from, to] = [`${paths.pods}/${manifest}`, `${paths.disabled}/${manifest}`];
  return sh`mkdir -p ${paths.disabled} && if [ -e ${from} ]; then mv -T --backup=numbered ${from} ${to}; fi && [ ! -e ${from} ]`;
};

/** The manifest goes, then the process: the kubelet gives it 30 s, and looks for new manifests every 20 s at worst. */
export async function disableManifest(context: Context, name: string, manifest: string, port: number): Promise<void> {
  const host = hostOf(context, name);
  await host.run(moveAway(manifest), { what: `moving ${manifest} away`, deadline: 30 });
  await until(context, `${name}: port ${port} closed`, 120, async () => {
    const { stdout } = await host.run(
      sh`out=$(ss -ltn ${`sport = :${port}`}) || exit 1; printf '%s\n' "$out" | tail -n +2`,
      {
        what: `asking for port ${port}`,
        deadline: 20,
      },
    );
    return stdout.trim() === "" ? { done: true } : { seen: "still listening" };
  });
}

/** Controllers and API off on the leaving host; with `lease`, until another master holds the controllers' lease. */
export async function disable(context: Context, step: Extract<Step, { do: "disable-manifest" }>): Promise<void> {
  await disableManifest(context, step.host, step.manifest, step.port);
  if (!step.lease) return;
  const holder = await until(
    context,
    "another master holds the controllers' lease",
    120,
    async () => {
      const held = await controllersHolder(context);
      return held === undefined || isCalled(held, step.host)
        ? { seen: held ?? "nobody, or it cannot be asked" }
        : { done: held };
    },
    2,
  );
  context.say(`${holder} holds the controllers' lease`);
}

/** Undefined: nobody, or the cluster keeps no such lease that we can read. */
async function controllersHolder(context: Context): Promise<string | undefined> {
  const [first = ""] = Object.keys(context.change.survivors);
  const { stdout } = await hostOf(context, first).run(clusterProbe([]), {
    what: "asking who holds the controllers' lease",
    deadline: 60,
    ok: "any",
  });
  const { controllers } = clusterFacts(stdout);
  return controllers === "" ? undefined : controllers;
}

/** `/healthz/ready` of 3.11, `/readyz` of later ones; the body must say ok. */
const ready = (port: number, pathNames: readonly string[]): string =>
  `for p in ${pathNames.join(" ")}; do a=$(curl -sk --max-time 5 -w ' %{http_code}' "https://127.0.0.1:${port}/$p"); case $a in *' 404'|*' 403') ;; *) break ;; esac; done; echo "/$p $a"`;

/** API and controllers of one survivor, out of every load balancer meanwhile. */
export async function restartMaster(context: Context, step: Extract<Step, { do: "restart-master" }>): Promise<void> {
  if (step.components.includes("api")) {
    await othersReady(context, step.node);
    await takeOut(context, step.balancers, step.node);
    await permit(context);
    await restart(context, step.host, "api", 8443, ["healthz/ready", "readyz"]);
    for (const balancer of step.balancers) {
      await permit(context);
      await putBack(context, balancer, step.node);
    }
  }
  if (!step.components.includes("controllers")) return;
  await permit(context);
  await restart(context, step.host, "controllers", 8444, ["healthz"]);
}

/** Never the only ready one: another master's API must answer before this one goes. */
async function othersReady(context: Context, node: HostIdentity): Promise<void> {
  const others = Object.keys(context.change.survivors).filter((name) => name !== node.name);
  if (others.length === 0) return;
  await until(context, "another master's API is ready", 120, async () => {
    const answers = await Promise.all(others.map((name) => isReady(context, name, 8443, ["healthz/ready", "readyz"])));
    return answers.every((answer) => answer.ready)
      ? { done: true }
      : { seen: answers.map((answer, n) => `${others[n] ?? ""} ${answer.seen}`).join("; ") };
  });
}

async function isReady(
  context: Context,
  host: string,
  port: number,
  pathNames: readonly string[],
): Promise<{ ready: boolean; seen: string }> {
  const { stdout } = await hostOf(context, host).run(ready(port, pathNames), {
    what: "asking for readiness",
    deadline: 30,
    ok: "any",
  });
  return { ready: /^\S+ ok\s+200$/.test(stdout.trim()), seen: stdout.trim().split("\n")[0]?.slice(0, 120) ?? "" };
}

/** master-restart waits for the stop only, and says success when nothing ran: what counts is a new process that is ready. */
async function restart(
  context: Context,
  name: string,
  component: "api" | "controllers",
  port: number,
  pathNames: readonly string[],
): Promise<void> {
  const host = hostOf(context, name);
  const before = await processOn(context, name, port);
  context.say(`${name}: master-restart ${component}`);
  const { stderr } = await host.run(sh`/usr/local/bin/master-restart ${component}`, {
    what: `restarting ${component}`,
    deadline: 120,
  });
  const asked = await until(context, `${name}: ${component} ready again`, 240, async () => {
    const pid = await processOn(context, name, port);
    if (pid === "" || pid === before)
      return { seen: `${pid === "" ? "nothing listens" : "still the old process"} on port ${port} ${stderr.trim()}` };
    const answer = await isReady(context, name, port, pathNames);
    return answer.ready ? { done: answer.seen } : { seen: answer.seen };
  });
  context.say(`${name}: ${component} ready (${asked})`);
}

async function processOn(context: Context, name: string, port: number): Promise<string> {
  const script = `ss -ltnp ${quote(`sport = :${port}`)} | tail -n +2 | sed -n 's/.*pid=\\([0-9]*\\).*/\\1/p' | head -n 1`;
  const { stdout } = await hostOf(context, name).run(script, {
    what: `asking who listens on port ${port}`,
    deadline: 20,
    ok: "any",
  });
  return stdout.trim();
}
