/** What a check says, and how it asks what may be refused. */
import type { Hosts } from "../facts.ts";
import { Refusal, Unasked } from "../refusal.ts";
import type { Change, World } from "../steps.ts";

export interface Judgement {
  /** One sentence each; empty: the change may be done. */
  readonly refusals: readonly string[];
  /** Refusals that may pass by themselves within a minute: an API that a killed run was restarting. */
  readonly passing: readonly string[];
  /** What is worth knowing and no reason to refuse. */
  readonly notes: readonly string[];
}

export type Check = (
  world: World,
  change: Change,
  before: Hosts | undefined,
) => { refusals?: string[]; passing?: string[]; notes?: string[] };

export const names = (hosts: Hosts): string[] => Object.keys(hosts);

export const orNothing = <T>(ask: () => T): T | undefined => {
  try {
    return ask();
  } catch {
    return undefined;
  }
};

export const orTrue = (ask: () => boolean): boolean => orNothing(ask) ?? true;

export function refusalOf(ask: () => unknown): string[] {
  try {
    ask();
    return [];
  } catch (error) {
    if (error instanceof Unasked) return [];
    if (error instanceof Refusal) return [error.message];
    throw error;
  }
}
