/**
 * What ssh2 hands over lies outside V8's heap, which lets 64 MiB of it gather before it looks: more than a copy may take. A collection of the young, a
 * millisecond's work, now and then keeps it low. Node has no public call for it; without one nothing happens.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

type Collector = (o: { type: "minor" }) => void;

function collector(): Collector {
  try {
    setFlagsFromString("--expose-gc");
    const found: unknown = runInNewContext("globalThis.gc");
    return typeof found === "function" ? (found as Collector) : () => undefined;
  } catch {
    return () => undefined;
  } finally {
    setFlagsFromString("--no-expose-gc");
  }
}
const collect = collector();

/** Bytes between two collections. */
const every = 4 * 2 ** 20;

/** To be told what passes. */
export function memorySweeper(): (bytes: number) => void {
  let passed = 0;
  return (bytes) => {
    passed += bytes;
    if (passed < every) return;
    passed = 0;
    collect({ type: "minor" });
  };
}
