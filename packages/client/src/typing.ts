import type { Json, JsonObject, Pause } from '@sluice/schema'
import type { DecisionInput } from './nouns/pauses.ts'

/**
 * What is known of the workflows of a server, by handle: `{ invoice: { input: …, output: …, pauses: … } }`. Empty here;
 * `sluice pull` writes it from the published versions, or whoever knows declares it in a module of their own:
 * `declare module '@sluice/client' { interface WorkflowTypes { invoice: { input: Order; output: Receipt } } }`
 */
// oxlint-disable-next-line typescript/no-empty-interface -- filled by declaration merging
export interface WorkflowTypes {}

/** Known handles are offered; any other id or handle will do. */
// oxlint-disable-next-line typescript/no-redundant-type-constituents -- `never` only until it is filled
export type WorkflowName = keyof WorkflowTypes | (string & {})

/** A workflow that is written in TypeScript carries its types with it: `sluice.workflow<typeof order>('order')`. */
export interface TypedWorkflow {
  readonly types: { input?: unknown; output?: unknown; pauses?: unknown }
}

type TypesOf<Which> = Which extends keyof WorkflowTypes ? WorkflowTypes[Which] : Which extends TypedWorkflow ? Which['types'] : object

/** What a workflow takes. Where nobody knows: JSON, or an object that becomes JSON, or nothing. */
export type InputOf<Which> =
  TypesOf<Which> extends { input: infer In } ? In : TypesOf<Which> extends { input?: infer In } ? (unknown extends In ? AnyInput : In | undefined) : AnyInput
/** What a workflow returns. */
export type OutputOf<Which> = TypesOf<Which> extends { output: infer Out } ? Out : Json
/** The inputs of a decision, by the id of the node that asks for it. */
export type PausesOf<Which> = TypesOf<Which> extends { pauses: infer Pauses extends object } ? Pauses : AnyPauses

export type AnyInput = Json | object | undefined
export interface AnyPauses {
  [node: string]: JsonObject
}

/** A node that asks people something. */
export type PausingNode<Pauses> = keyof Pauses & string

/** What an approval carries: its inputs are asked for where the form of the pause asks for them. */
export type Answer<Inputs> = Omit<DecisionInput, 'inputs'> & ({} extends Inputs ? { inputs?: Inputs | undefined } : { inputs: Inputs })

/** Needed where the inputs are. */
export type AnswerArgument<Inputs> = {} extends Inputs ? [answer?: Answer<Inputs>] : [answer: Answer<Inputs>]

/** The input of a start, asked for where the workflow is known to need one. */
export type StartArguments<In, Options> = undefined extends In ? [input?: In, options?: Options] : [input: In, options?: Options]

/** A decided pause of a known node. */
export type PauseAt<Node extends string> = Pause & { nodeId: Node }
