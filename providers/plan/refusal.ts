/**
 * Policy says no, and nothing was touched. The message is one sentence for the administrator: what was attempted,
 * where (host, file, line, key), what was seen, what to do.
 */
export class Refusal extends Error {
  override readonly name = "Refusal";
}

/** Undefined when it is refused. */
export function unlessRefused<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/** What an error says, whatever was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Facts that a plan needs could not be had; Preflight tells the same in its own words. */
export class Unasked extends Refusal {}
