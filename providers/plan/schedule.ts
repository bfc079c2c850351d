/** In which order the steps of a plan are carried out, and which of them beside each other. */
import type { Step } from "./steps.ts";

/** Chains that may run beside each other, the steps of a chain one after the other. The next stage waits for all of them. */
export interface Stage {
  readonly chains: readonly (readonly Step[])[];
  /** How many chains run at the same time, at most. */
  readonly atOnce: number;
  /** Each chain is that of one host; where it fails, the host is left behind and the other chains go on. */
  readonly apart: boolean;
}

/**
 * Every step once, those of a host in the plan's order. Backups, one of each host, go at the same time; the steps of hosts that go `apart` are a chain
 * for each host; everything else is a stage of its own.
 * @param atOnce hosts that go apart, at most, at the same time
 */
export function scheduleOf(steps: readonly Step[], atOnce: number): Stage[] {
  const stages: { chains: Step[][]; atOnce: number; apart: boolean }[] = [];
  for (const step of steps) {
    const apart = step.apart === true;
    const last = stages.at(-1);
    const own = last?.chains.find(([first]) => first?.host === step.host);
    const joins = last !== undefined && (apart ? last.apart : areBackups(last.chains) && step.do === "backup" && !own);
    if (!joins) stages.push({ chains: [[step]], atOnce: apart ? atOnce : 1, apart });
    else if (own) own.push(step);
    else last.chains.push([step]);
    if (joins && !apart) last.atOnce = last.chains.length;
  }
  return stages;
}

const areBackups = (chains: readonly (readonly Step[])[]): boolean =>
  chains.flat().every(({ do: what }) => what === "backup");
