/** A host as the pure editors see it: its exact names and every address it is known by. */
export interface HostIdentity {
  /** Inventory name, e.g. `master-3.example.com`. */
  readonly name: string;
  /** IP addresses (and further exact names) of the host; never patterns. */
  readonly addresses: readonly string[];
}
