/** What one resource of the chain tells `lifecycle` of itself. */
import type { Hosts } from "./plan/facts.ts";
import type { Sketch } from "./plan/haproxy.ts";
import type { Judgement } from "./plan/preflight.ts";
import type { Change, Extra, Step, World } from "./plan/steps.ts";

/** A resource's inputs: one map keyed by host name, and whatever else it declares; `retired` and `files` are added by check. */
export type Inputs = Record<string, unknown>;
export type Outputs = Record<string, unknown>;

/** What makes one resource differ from the others. */
export interface Kind {
  /** The type's last word, e.g. `LoadBalancerPool`. */
  readonly type: string;
  /** The input that holds the map keyed by host name; its values begin or end with the address (`https://a:2380`, `a:8443`, `a`). */
  readonly list: string;
  /** Names of the further inputs; a change of one is an update. */
  readonly also?: readonly string[];
  /** What it has to know besides. */
  readonly asks?: readonly Extra[];
  /** What is still to be done; pure. */
  plan(world: World, change: Change, inputs: Inputs): Step[];
  /** Hosts that may be left behind and could not be asked, with the reason. */
  unasked?(world: World): Readonly<Record<string, string>>;
  /** The plan does not follow from the world: it is carried out at every create and update (a fresh backup). */
  readonly always?: boolean;
  /** May it be done? Only Preflight asks. `olds`: what the state remembers. */
  judge?(world: World, change: Change, before: Hosts | undefined, olds: Inputs): Judgement;
  /** Hosts whose retirement was begun with a state that is lost: they leave by the change that adopts the cluster. Asked where there is no state, of the chain's first alone. */
  adopts?(world: World, change: Change): Hosts;
  /** What `check` adds to the inputs, from what was seen and the inputs of before: what has to be known when it can be seen no more. */
  carry?(world: World, change: Change, news: Inputs, olds: Inputs): Inputs;
  /** What later resources of the run have to know of its inputs: where server lines stand, load balancer → sketch. */
  sketches?(inputs: Inputs): Readonly<Record<string, Sketch>>;
  /** Facts for the outputs; undefined facts keep their last known value. */
  facts?(world: World, change: Change, inputs: Inputs): Outputs;
  /** What the records of the steps become among the outputs. */
  remember?(records: readonly { step: Step; record: object }[], before: Outputs): Outputs;
  /** What of the remembered is gone or altered; one line each. */
  lost?(outputs: Outputs): Promise<string[]>;
  /** What `read` tells as drift and no update mends. */
  notes?(world: World, change: Change, outputs: Outputs): string[];
}
