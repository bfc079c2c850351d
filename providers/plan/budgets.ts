/**
 * PodDisruptionBudgets, and the labels of the pods that they may select: how both are asked for, and what the answers say.
 * Nothing of them is trusted: every text comes URL-encoded, so that none can end a field or a line.
 */
import { inParts, partsOf } from "./parts.ts";
import { paths } from "./probe.ts";
import { escapeControls, lastLines, quote } from "./quote.ts";

export type Labels = ReadonlyMap<string, string>;

export interface Requirement {
  readonly key: string;
  /** `In`, `NotIn`, `Exists` or `DoesNotExist`. */
  readonly operator: string;
  readonly values: readonly string[];
}

export interface Budget {
  readonly namespace: string;
  readonly name: string;
  /** `status.disruptionsAllowed`: pods that may be evicted now. */
  readonly allowed: number;
  /** Of its pods: healthy now, healthy at least, and all that there should be. */
  readonly healthy: number;
  readonly desired: number;
  readonly expected: number;
  /** What was declared, `minAvailable 2` or `maxUnavailable 50%`; empty when that is not understood. */
  readonly wants: string;
  /** An empty selector selects nothing in policy/v1beta1 (3.11) and everything from policy/v1 on. */
  readonly empty: boolean;
  /** Undefined: no pod. */
  readonly selector: { readonly labels: Labels; readonly requirements: readonly Requirement[] } | undefined;
}

export interface PodLabels {
  readonly labels: Labels;
  /** It has been told to end. */
  readonly ending: boolean;
}

export interface BudgetFacts {
  readonly budgets: readonly Budget[];
  /** Node → `namespace/name` → the pod's labels. */
  readonly pods: ReadonlyMap<string, ReadonlyMap<string, PodLabels>>;
}

/** Why they could not be asked. */
export interface Unknown {
  readonly unknown: string;
}

/** Bytes of an answer that are taken. */
export const largestAnswer = 8 * 1024 * 1024;

const pairs = "{{range $key, $value := .}}{{urlquery $key}}={{urlquery $value}},{{end}}";
const requirement = "{{urlquery .key}}:{{urlquery .operator}}:{{range .values}}{{urlquery .}},{{end}};";
const budgetFields = [
  "budget",
  "{{urlquery .metadata.namespace}}",
  "{{urlquery .metadata.name}}",
  "{{.apiVersion}}",
  "{{.status.disruptionsAllowed}}",
  "{{.status.currentHealthy}}",
  "{{.status.desiredHealthy}}",
  "{{.status.expectedPods}}",
  "{{.spec.minAvailable}}",
  "{{.spec.maxUnavailable}}",
  // one that is absent selects nothing, an empty one is another matter: `with` cannot tell them apart
  `{{range $key, $any := .spec}}{{if eq $key "selector"}}selector{{end}}{{end}}`,
  `{{with .spec.selector}}{{with .matchLabels}}${pairs}{{end}}{{end}}`,
  `{{with .spec.selector}}{{range .matchExpressions}}${requirement}{{end}}{{end}}`,
];
const podFields = [
  "pod",
  "{{urlquery .metadata.namespace}}",
  "{{urlquery .metadata.name}}",
  "{{if .metadata.deletionTimestamp}}ending{{end}}",
  `{{with .metadata.labels}}${pairs}{{end}}`,
];
/** A last line of its own: an answer without it was cut off. */
const template = (fields: readonly string[]): string =>
  `go-template={{range .items}}${fields.join("|")}{{"\\n"}}{{end}}end{{"\\n"}}`;

/** Asked on one master as system:admin: all budgets, and the labels of the pods of these nodes. Reads only. */
export const budgetProbe = (nodes: readonly string[]): string =>
  inParts(`export HOME=/proc/self KUBECONFIG=${paths.adminKubeconfig}
o() { timeout 20 oc --request-timeout=15s "$@"; }
checked budgets o get poddisruptionbudget --all-namespaces -o ${quote(template(budgetFields))}
${nodes.map((node) => `checked ${quote(`pods:${node}`)} o get pods --all-namespaces --field-selector ${quote(`spec.nodeName=${node}`)} -o ${quote(template(podFields))}`).join("\n")}`);

/** An answer that is not understood is no answer: a budget that is overlooked would block the drain. */
class Malformed extends Error {}

/** Facts from `budgetProbe`. */
export function budgetFacts(stdout: string, nodes: readonly string[]): BudgetFacts | Unknown {
  const parts = partsOf(stdout);
  const rows = (name: string, tag: string, fields: number): string[][] => {
    const part = parts.get(name);
    const text = Buffer.from(part?.bytes ?? []).toString("utf8");
    if (part?.state !== 0) throw new Malformed(escapeControls(lastLines(text, 2).join(" / ")) || "no answer");
    const lines = text.split("\n").filter((line) => line !== "");
    if (lines.at(-1) !== "end") throw new Malformed("the answer was cut off");
    // what oc warns about comes in the same stream
    const found = lines.filter((line) => line.startsWith(`${tag}|`)).map((line) => line.split("|"));
    if (found.some((row) => row.length !== fields)) throw new Malformed("the answer is not understood");
    return found;
  };
  const asked = <T>(what: string, ask: () => T): T => {
    try {
      return ask();
    } catch (error) {
      throw error instanceof Malformed ? new Malformed(`${what}: ${error.message}`) : error;
    }
  };
  try {
    return {
      budgets: asked("budgets", () => rows("budgets", "budget", budgetFields.length).map(budgetOf)),
      pods: new Map(
        nodes.map((node) => [
          node,
          asked(
            `pods of ${node}`,
            () => new Map(rows(`pods:${node}`, "pod", podFields.length).map((row) => podOf(row))),
          ),
        ]),
      ),
    };
  } catch (error) {
    if (error instanceof Malformed) return { unknown: error.message };
    throw error;
  }
}

function budgetOf([, namespace, name, version = "", ...rest]: readonly string[]): Budget {
  const [allowed, healthy, desired, expected, least = "", most = "", selector, labels = "", requirements = ""] = rest;
  const found = { labels: pairsOf(labels), requirements: list(requirements, ";").map(requirementOf) };
  const empty = selector === "selector" && found.labels.size === 0 && found.requirements.length === 0;
  // policy/v1's conversion keeps this meaning, whichever version an object was written in
  const none = selector !== "selector" || (empty && version === "policy/v1beta1");
  const amount = /^\d{1,9}%?$/;
  return {
    namespace: decoded(namespace),
    name: decoded(name),
    allowed: count(allowed),
    healthy: count(healthy),
    desired: count(desired),
    expected: count(expected),
    wants: amount.test(least) ? `minAvailable ${least}` : amount.test(most) ? `maxUnavailable ${most}` : "",
    empty,
    selector: none ? undefined : found,
  };
}

const podOf = ([, namespace, name, ending, labels = ""]: readonly string[]): [string, PodLabels] => [
  `${decoded(namespace)}/${decoded(name)}`,
  { labels: pairsOf(labels), ending: ending === "ending" },
];

function requirementOf(text: string): Requirement {
  const [key, operator, values = "", ...more] = text.split(":");
  if (more.length > 0) throw new Malformed("the answer is not understood");
  return { key: decoded(key), operator: decoded(operator), values: list(values, ",").map(decoded) };
}

const pairsOf = (text: string): Labels =>
  new Map(
    list(text, ",").map((pair): [string, string] => {
      const [key, value, ...more] = pair.split("=");
      if (value === undefined || more.length > 0) throw new Malformed("the answer is not understood");
      return [decoded(key), decoded(value)];
    }),
  );

/** Every item is followed by the mark. */
const list = (text: string, mark: string): string[] => {
  const items = text.split(mark);
  if (items.pop() !== "") throw new Malformed("the answer is not understood");
  return items;
};

/** Without a status, which the controller has not written yet, nothing may be evicted. */
function count(text = ""): number {
  if (text === "<no value>") return 0;
  if (!/^\d{1,9}$/.test(text)) throw new Malformed("the answer is not understood");
  return Number(text);
}

function decoded(text = ""): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw new Malformed("the answer is not understood");
  }
}

/** Is a pod of this namespace, with these labels, one of the budget's? As the eviction API answers it; an operator that is none selects nothing there. */
export function selects({ namespace, selector }: Budget, pod: { readonly namespace: string }, labels: Labels): boolean {
  if (selector === undefined || namespace !== pod.namespace) return false;
  return (
    [...selector.labels].every(([key, value]) => labels.get(key) === value) &&
    selector.requirements.every((one) => meets(one, labels))
  );
}

function meets({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = labels.get(key);
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    default:
      return false;
  }
}
