/** The plan as data: what will be done, where, in which order. The only interpreter is `providers/remote/apply.ts`. */
import type { ArchivedAuthority, AuthorityName } from "./archived-authority.ts";
import type { BudgetFacts, Unknown } from "./budgets.ts";
import type { Census } from "./census.ts";
import type { EtcdctlVia } from "./etcdctl-command.ts";
import {
  type ClusterFacts,
  type BalancerFacts,
  type FileFacts,
  type Hosts,
  type MasterFacts,
  type NodeFacts,
  type Unreachable,
  isReachable,
} from "./facts.ts";
import type { Sketch } from "./haproxy.ts";
import type { HostIdentity } from "./host.ts";
import type { AnsibleSays } from "./inventory-ansible.ts";
import type { Commit } from "./inventory-git.ts";
import type { InventoryFacts } from "./inventory-facts.ts";
import type { Settings } from "./settings.ts";
import type { StrangerFacts } from "./strangers/facts.ts";
import type { Finding } from "./sweep-findings.ts";
import type { Sweep } from "./sweep.ts";

/** Everything that was seen, of one moment. */
export interface World {
  readonly masters: Readonly<Record<string, MasterFacts | Unreachable>>;
  readonly balancers: Readonly<Record<string, BalancerFacts | Unreachable>>;
  readonly nodes: Readonly<Record<string, NodeFacts | Unreachable>>;
  readonly inventory: InventoryFacts | Unreachable;
  readonly cluster: ClusterFacts | Unreachable;
  /** What the verified archives here hold of the authorities of hosts that leave and cannot be reached; the newest first. */
  readonly archives?: Readonly<Record<string, readonly ArchivedAuthority[]>>;
  /** PodDisruptionBudgets and what they may select on the hosts that leave. */
  readonly budgets?: BudgetFacts | Unknown;
  /** Where server lines stand or stood, as the load balancers' resources of this run remember it: load balancer → sketch. */
  readonly sketches?: Readonly<Record<string, Sketch>>;
  /** Who still names the hosts that leave; absent when nobody asked, or nobody leaves. */
  readonly sweep?: Sweep;
  /** Where etcd's members stand, all asked at one moment; absent when nobody asked, or no member is to be removed. */
  readonly census?: Census | Unknown;
  /** What Ansible itself says of the inventory's planned edit; absent when nobody asked, or there is none. */
  readonly ansible?: AnsibleSays;
  /** Of masters that nobody declares; absent when nobody asked, or there are none. */
  readonly strangers?: StrangerFacts;
  /** Of the machine that runs pulumi. */
  readonly local: LocalFacts;
}

export interface LocalFacts {
  /** Bytes free where the off-host copies go; undefined when that cannot be told. */
  readonly freeForArchive: number | undefined;
  /** Why nothing can be encrypted to the key of `backup.encrypt`; undefined when it can, or need not. */
  readonly keyFlaw: string | undefined;
}

/** What is asked besides, in a round of its own, by those resources that need it; `nodes` are in every world, and are asked anew. */
export type Extra = "sweep" | "budgets" | "census" | "nodes" | "ansible" | "git" | "strangers";

/** What is wanted: these masters stay, those leave (or have left). */
export interface Change {
  readonly survivors: Hosts;
  readonly leaving: Hosts;
  /** All that left by this change or an earlier one, also those of whom nothing is left and who are not looked at. */
  readonly retired?: Hosts;
  readonly settings: Settings;
}

interface Shown {
  /** Where it acts; `this machine` for local files. */
  readonly host: string;
  /** One sentence for people, without the host. */
  readonly title: string;
  /** What will be run, as far as it is known beforehand. */
  readonly commands?: readonly string[];
  /** What goes with it, one sentence each. */
  readonly notes?: readonly string[];
  /** Its host goes beside others of the kind, and is left behind where a step of it fails: the rest goes on. */
  readonly apart?: true;
}

/** A file to be replaced as a whole; the text is secret until it is masked. */
export interface Edit {
  readonly before: FileFacts;
  readonly after: string;
}

/** One server line of a load balancer. */
export interface Server {
  readonly section: string;
  readonly server: string;
}

/** Leaving hosts that come back into service. */
export interface PutBack {
  readonly hosts: Hosts;
  /** The node is made schedulable again: this very plan made it unschedulable. */
  readonly uncordon: boolean;
  /** Where their server lines stood: load balancer → sketch. */
  readonly sketches: Readonly<Record<string, Sketch>>;
}

export type Step = Shown &
  (
    | {
        readonly do: "backup";
        readonly what: "master" | "etcd-config";
        /** What the host's static pods mount beyond the vendor's list, absolute. */
        readonly mounted?: readonly string[];
        /** What they mount and is not saved, with the reason. */
        readonly leftOut?: readonly string[];
      }
    | {
        readonly do: "snapshot";
        readonly v2: boolean;
        readonly revision: string;
        readonly endpoint: string;
        readonly via: EtcdctlVia;
        /** For `oc-exec`. */
        readonly pod?: string;
      }
    | {
        readonly do: "hand-over";
        readonly authority: AuthorityName;
        readonly from: { readonly host: string } | { readonly archive: ArchivedAuthority };
        /** At its source: the path of the serial, the serial, and the digest of what is copied (see AuthorityFacts). */
        readonly place: string;
        readonly serial: string;
        readonly digest: string;
      }
    | { readonly do: "edit"; readonly edit: Edit }
    | {
        readonly do: "balance";
        /** The load balancer as it was seen. */
        readonly on: BalancerFacts;
        readonly edits: readonly Edit[];
        /** At run time, before the edit. */
        readonly drain: readonly Server[];
        /** `address:port` of the servers that go: their open connections are waited for. */
        readonly peers: readonly string[];
        /** Afterwards it must be without these, and have these UP. */
        readonly gone: readonly Server[];
        readonly up: readonly Server[];
      }
    | { readonly do: "cordon"; readonly node: string }
    | {
        readonly do: "drain";
        readonly node: string;
        readonly flags: readonly string[];
        /** Seconds. */
        readonly timeout: number;
        /** What is put back when it is blocked; undefined: nothing. */
        readonly back: PutBack | undefined;
      }
    | {
        readonly do: "disable-manifest";
        readonly manifest: string;
        readonly port: number;
        readonly lease: boolean;
      }
    | { readonly do: "move-leader"; readonly member: string; readonly to: string }
    /** The leader's etcd pod goes off before its member is removed: etcd 3.2 cannot move leadership otherwise. */
    | { readonly do: "stop-leader"; readonly member: string }
    /** `of`: the host that leaves. */
    | { readonly do: "remove-member"; readonly member: string; readonly of: string }
    /** etcd's data of a host that has left gets another name beside it. */
    | { readonly do: "set-aside-data" }
    | { readonly do: "put-back"; readonly node: HostIdentity; readonly balancer: string }
    | {
        readonly do: "restart-master";
        readonly node: HostIdentity;
        readonly components: readonly ("api" | "controllers")[];
        readonly balancers: readonly string[];
      }
    | { readonly do: "restart-flannel" }
    | { readonly do: "await-endpoints"; readonly addresses: readonly string[] }
    | { readonly do: "stop-node-service"; readonly unit: string }
    | { readonly do: "delete-node"; readonly node: string }
    | {
        readonly do: "edit-inventory";
        readonly edit: Edit;
        readonly local: boolean;
        /** Full path of the file itself: the old one is kept beside it. */
        readonly real: string;
        /** Copies of earlier runs that go once the new file is proved: full paths. */
        readonly surplus: readonly string[];
      }
    | { readonly do: "commit-inventory"; readonly commit: Commit }
    /** Files and folders of `host_vars`, full paths: into a folder beside them that is no host's. */
    | { readonly do: "move-host-vars"; readonly paths: readonly string[]; readonly local: boolean }
    | {
        readonly do: "report";
        /** Of the host that was retired, and is looked at where it can be reached. */
        readonly findings: readonly Finding[];
        readonly notSwept: readonly string[];
        /** Why it is not looked at: it is gone. */
        readonly gone: string | undefined;
      }
  );

/** A host as the editors see it. */
export const identityOf = (name: string, hosts: Hosts): HostIdentity => ({ name, addresses: [hosts[name] ?? name] });

/** `pairs` with both sides typed. */
export const entries = <T>(record: Readonly<Record<string, T>>): [string, T][] => Object.entries(record);

/** A leaving host that cannot be reached, and that an acknowledged risk says is gone: its own steps are skipped. */
export const isGone = (name: string, world: World, change: Change): boolean =>
  !isReachable(world.masters[name]) && change.settings.acknowledge.includes(`host-gone:${name}`);
