/** For sessions that are no sessions: nothing is written down, and no journal waits. */
import type { RunRecord } from "../providers/remote/record/record.ts";

export type Unrecorded = Pick<RunRecord, "step" | "ended" | "leftBehind" | "readBack" | "require">;

export const unrecorded: Unrecorded = {
  step: (_place, _step, work) => work(),
  ended: () => undefined,
  leftBehind: () => undefined,
  readBack: () => undefined,
  require: () => undefined,
};

/** What a resource tells it, one line each. */
export function toldRecord(told: string[]): Unrecorded {
  return {
    ...unrecorded,
    step: (place, { host }, work) => {
      told.push(`${place.resource} ${place.number}/${place.of} ${host}`);
      return work();
    },
    ended: (resource, error) => told.push(`${resource} ${error instanceof Error ? error.message : "done"}`),
    leftBehind: (resource, host, why) => told.push(`${resource} left ${host}: ${why}`),
    readBack: (resource, { host }) => told.push(`${resource} read back ${host}`),
  };
}

export const noConnections = () => ({
  stats: { connections: 2, commands: 7 },
  sentTo: new Map<string, number>(),
  tellJournals: () => Promise.resolve(),
});
