/** The step that is under way, wherever in it a command is sent: chains beside each other each have their own. */
import { AsyncLocalStorage } from "node:async_hooks";
import { maskedCommand, onlyLooks, type CommandEnds } from "../../plan/record.ts";
import { Refusal } from "../../plan/refusal.ts";
import { redact, RemoteError } from "../errors.ts";
import type { Journal } from "./journal.ts";

/** A command that is about to be sent. */
export interface Sent {
  readonly host: string;
  /** Undefined: of this machine, whose word is the transcript. */
  readonly journal?: Journal | undefined;
  readonly what: string;
  readonly script: string;
  readonly secrets?: readonly string[] | undefined;
  /** It changes nothing, although its `what` does not say so. */
  readonly looks?: boolean | undefined;
}

export type Ended = Pick<CommandEnds, "outcome" | "exit">;

/** What a step writes down of its commands. */
export interface OpenStep {
  /** A command that may change something is about to be sent. @returns to be told how it ended */
  command(sent: Sent): (ended: Ended) => void;
}

const here = new AsyncLocalStorage<OpenStep>();

export const within = <T>(step: OpenStep, work: () => Promise<T>): Promise<T> => here.run(step, work);

const unrecorded = () => undefined;

/** Outside of a step nothing is changed, and nothing written down. */
export function begins(sent: Sent): (ended: Ended) => void {
  const step = here.getStore();
  if (step === undefined || sent.looks === true || onlyLooks(sent.what)) return unrecorded;
  return step.command({ ...sent, script: maskedCommand(redact(sent.script, sent.secrets ?? [])) });
}

/** What is known of a command that was not answered as it should have been. */
export function outcomeOf(error: unknown): Ended {
  if (error instanceof RemoteError)
    return { outcome: error.outcome, ...(error.exit === null ? {} : { exit: error.exit }) };
  return { outcome: error instanceof Refusal ? "not-done" : "unknown" };
}

/** Sends a command with its beginning and its end written down. */
export async function recorded<T extends { readonly code: number }>(sent: Sent, send: () => Promise<T>): Promise<T> {
  const ended = begins(sent);
  try {
    const result = await send();
    ended({ outcome: "done", exit: result.code });
    return result;
  } catch (error) {
    ended(outcomeOf(error));
    throw error;
  }
}
