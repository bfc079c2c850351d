/** Who names the hosts that leave, before anything is changed: what the chain takes out, and what is left to the administrator. */
import { shortened } from "../quote.ts";
import { type Finding, findings, isLeft } from "../sweep-findings.ts";
import { inWords, notSwept } from "../sweep-told.ts";
import { type Check, names } from "./judgement.ts";

/** Reasons for no refusal, ever: a host that is named too often does less harm than one that cannot be retired. */
export const named: Check = (world, change) => {
  if (world.sweep === undefined || names(change.leaving).length === 0) return {};
  const all = findings(world, change);
  const missed = notSwept(world);
  return {
    notes: [
      ...names(change.leaving).flatMap((leaving) =>
        told(
          leaving,
          all.filter((one) => one.leaving === leaving),
        ),
      ),
      ...(missed.length === 0 ? [] : [`not looked at for who names the leaving hosts: ${missed.join("; ")}`]),
    ],
  };
};

function told(leaving: string, some: readonly Finding[]): string[] {
  const types = [...new Set(some.flatMap(({ outcome }) => (isLeft(outcome) ? [] : [outcome.fixedBy])))];
  const fixed = types.map((type) => {
    const ones = some.filter(({ outcome }) => !isLeft(outcome) && outcome.fixedBy === type);
    const places = [...new Set(ones.map(({ what }) => what))].map((what) => {
      const on = [...new Set(ones.filter((one) => one.what === what).map((one) => one.on))];
      return on[0] === "the cluster" ? what : `${what} on ${on.length === 1 ? (on[0] ?? "") : `${on.length} hosts`}`;
    });
    return `${type} (${shortened(places, 4)})`;
  });
  return [
    ...(fixed.length === 0 ? [] : [`${leaving} is named by what this change mends: ${fixed.join("; ")}`]),
    ...inWords(
      some.filter(({ outcome }) => isLeft(outcome)),
      (outcome) => (isLeft(outcome) ? outcome.left : ""),
    ).map((one) => `${leaving} is named in a place that is left to you: ${one}`),
  ];
}
