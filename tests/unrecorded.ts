/** For sessions that are no sessions: nothing is written down, and no journal waits. */
import type { RunRecord } from "../providers/remote/record/record.ts";

export const unrecorded = {
  step: (_place, _step, work) => work(),
  ended: () => undefined,
  leftBehind: () => undefined,
  require: () => undefined,
} satisfies Pick<RunRecord, "step" | "ended" | "leftBehind" | "require">;

export const noConnections = () => ({
  stats: { connections: 2, commands: 7 },
  sentTo: new Map<string, number>(),
  tellJournals: () => Promise.resolve(),
});
