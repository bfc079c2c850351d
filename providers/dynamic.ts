/**
 * The only file that knows about closure serialization. The text of the functions below is what Pulumi writes into the state, whatever
 * the provider's code becomes: it must stay constant and tiny. At call time it loads `runtime.ts` of the project and forwards.
 */
import * as pulumi from "@pulumi/pulumi";

export function provider(type: string): pulumi.dynamic.ResourceProvider {
  const load = (): any => require(process.cwd() + "/providers/runtime.ts").providers[type];
  return {
    configure: async (req: any) => load().configure(req),
    check: async (olds: any, news: any) => load().check(olds, news),
    diff: async (id: any, olds: any, news: any) => load().diff(id, olds, news),
    create: async (inputs: any) => load().create(inputs),
    read: async (id: any, props: any) => load().read(id, props),
    update: async (id: any, olds: any, news: any) => load().update(id, olds, news),
    delete: async (id: any, props: any) => load().delete(id, props),
  };
}

/** A resource of the chain; `outputs` name what it gives back besides its inputs. */
export abstract class ChainResource extends pulumi.dynamic.Resource {
  constructor(
    type: string,
    name: string,
    inputs: object,
    outputs: readonly string[],
    options: pulumi.CustomResourceOptions,
  ) {
    super(
      provider(type),
      name,
      { ...Object.fromEntries([...outputs, "record"].map((key) => [key, undefined])), ...inputs },
      options,
      "openshift",
      type,
    );
  }
}
