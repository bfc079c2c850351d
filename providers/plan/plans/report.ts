/** RetirementReport: what is told at the end of each host that leaves. Its steps change nothing. */
import { isReachable } from "../facts.ts";
import type { Step } from "../steps.ts";
import { findings } from "../sweep-findings.ts";
import { notSwept } from "../sweep-told.ts";
import type { Planner } from "./asked.ts";

/** One report for each host that leaves; what was found by the sweep is in it, for nothing comes after. */
export const planReport: Planner = (world, change) => {
  const all = findings(world, change);
  return Object.keys(change.leaving).map((host): Step => {
    const facts = world.masters[host];
    const gone = isReachable(facts) ? undefined : (facts?.unreachable ?? "it was not looked at");
    return {
      do: "report",
      host,
      findings: all.filter(({ leaving }) => leaving === host),
      notSwept: notSwept(world),
      gone,
      title: `report who still names it, and ${gone === undefined ? "which credentials are on it" : "what must be assumed to be on it"}; nothing is changed`,
    };
  });
};
