/**
 * Policy says no, and nothing was touched. The message is one sentence for the administrator: what was attempted,
 * where (host, file, line, key), what was seen, what to do.
 */
export class Refusal extends Error {
  override readonly name = "Refusal";
}
