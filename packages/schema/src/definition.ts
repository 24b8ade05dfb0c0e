import { z } from 'zod'
import { Json, JsonObject } from './json.ts'
import { StepError } from './step-error.ts'

/** How many attempts a step has and how long it waits between them. Delay n is `backoffMs · factor^(n-1)`, spread by `jitter`. */
export const RetrySettings = z.strictObject({
  maxAttempts: z.int().min(1).max(1000).optional().meta({ description: 'Attempts in all; 1 unless set' }),
  backoffMs: z.int().min(0).max(86_400_000).optional().meta({ description: 'Before the second attempt; 1,000 ms unless set' }),
  factor: z.number().min(1).max(100).optional().meta({ description: 'Growth of the delay; 2 unless set' }),
  jitter: z.number().min(0).max(1).optional().meta({ description: 'Share of the delay that is drawn at random; 0.2 unless set' }),
  manual: z.boolean().optional().meta({ description: 'The next attempt is made when somebody asks for it, and not before' }),
})
export type RetrySettings = z.infer<typeof RetrySettings>

/** A node runs when every incoming path is settled: `any` asks for one completed path, `all` for no skipped one. */
export const Join = z.enum(['any', 'all'])
export type Join = z.infer<typeof Join>

export const Compensation = z.strictObject({
  type: z.string().min(1).max(100).meta({ description: 'The node type that undoes the step' }),
  config: JsonObject.optional(),
})
export type Compensation = z.infer<typeof Compensation>

export const NodeSettings = z.strictObject({
  retry: RetrySettings.optional(),
  timeoutMs: z.int().min(1).max(31_536_000_000).optional().meta({ description: 'Of one attempt (10 minutes unless set), or of the wait (none unless set)' }),
  compensate: Compensation.optional(),
  join: Join.optional(),
})
export type NodeSettings = z.infer<typeof NodeSettings>

/** A node's id: free, but for control characters, and unique in its definition. */
export const NodeId = z.string().regex(/^[^\p{Cc}\p{Cs}]{1,100}$/u, 'expected 1 to 100 characters, none of them a control character')

export const Node = z.strictObject({
  id: NodeId,
  type: z.string().min(1).max(100),
  title: z.string().max(200).optional(),
  config: JsonObject.optional(),
  settings: NodeSettings.optional(),
  position: z.strictObject({ x: z.number(), y: z.number() }).nullable().optional(),
  size: z.strictObject({ width: z.number(), height: z.number() }).nullable().optional(),
  parentId: z.string().min(1).max(100).nullable().optional().meta({ description: 'The map or loop whose body this node is part of' }),
  extra: JsonObject.optional().meta({ description: 'Kept for dialects, never read by the engine; at most 16 KiB' }),
})
export type Node = z.infer<typeof Node>

/** A link's id: free, but for control characters, and unique in its definition. */
export const LinkId = z.string().regex(/^[^\p{Cc}\p{Cs}]{1,100}$/u, 'expected 1 to 100 characters, none of them a control character')

export const Link = z.strictObject({
  id: LinkId.optional().meta({ description: 'Its name for edits; of a link without one it is made of what the link says. Two links that differ in nothing else are the same' }),
  source: z.string().min(1).max(100),
  target: z.string().min(1).max(100),
  sourceHandle: z.string().min(1).max(100).nullable().optional().meta({ description: 'The route this link takes; `default` unless set' }),
  targetHandle: z.string().min(1).max(100).nullable().optional(),
})
export type Link = z.infer<typeof Link>

export const DefinitionSettings = z.strictObject({
  join: Join.optional(),
  onFailure: z.enum(['stop', 'continue']).optional().meta({ description: 'What the rest of the run does when a step failed for good; `stop` unless set' }),
  timeoutMs: z.int().min(1).max(31_536_000_000).optional().meta({ description: 'Of the run: counts waiting, not queueing or hold' }),
  retainForSeconds: z.int().min(0).max(315_360_000).optional(),
  idempotent: z.boolean().optional().meta({ description: 'A start with the transaction id of an ended run answers with that run' }),
})
export type DefinitionSettings = z.infer<typeof DefinitionSettings>

export const DefinitionKind = z.enum(['workflow', 'chatbot', 'agent'])
export type DefinitionKind = z.infer<typeof DefinitionKind>

/** The graph as data. Parsing checks its form alone; publishing checks its meaning. */
export const Definition = z.strictObject({
  kind: DefinitionKind.default('workflow'),
  nodes: z.array(Node).max(1000),
  links: z.array(Link).max(5000),
  settings: DefinitionSettings.optional(),
  testInputs: z.array(Json).max(1000).optional(),
})
export type Definition = z.infer<typeof Definition>

/** A definition for a workflow that is there. What its kind is where it does not say so, who takes it says. */
export const GivenDefinition = Definition.extend({ kind: DefinitionKind.optional() })
export type GivenDefinition = z.infer<typeof GivenDefinition>

/** Something that keeps a definition from being published. `field` is a dotted path into the node, as `config.routes.0.when`. */
export const DefinitionIssue = z.object({
  nodeId: z.string().nullable(),
  field: z.string().nullable(),
  message: z.string(),
})
export type DefinitionIssue = z.infer<typeof DefinitionIssue>

const sampled = { input: Json.optional(), output: Json.optional(), error: StepError.nullable().optional() }
const placed = z.strictObject({ x: z.number().optional(), y: z.number().optional() })

/** Atomic edits of a draft: all of a list apply under the draft's row lock, or none does. */
export const EditOperation = z.discriminatedUnion('op', [
  z.strictObject({
    op: z.literal('addNode'),
    node: Node.extend({ id: NodeId.optional().meta({ description: 'Drawn unless given' }) }),
    sample: z.strictObject(sampled).optional().meta({ description: 'What it is to have as its sample from the start' }),
  }),
  z.strictObject({ op: z.literal('moveNode'), nodeId: z.string(), position: placed.meta({ description: 'What is absent stays, and is 0 where there was no place' }) }),
  z.strictObject({
    op: z.literal('setConfig'),
    nodeId: z.string(),
    type: Node.shape.type.optional(),
    config: JsonObject.optional(),
    title: z.string().max(200).optional(),
    settings: NodeSettings.optional(),
    position: placed.optional(),
    extra: JsonObject.optional(),
    merge: z
      .array(z.enum(['config', 'extra']))
      .max(2)
      .optional()
      .meta({
        description:
          'These are laid over what is there, in place of replacing it: `config` by its keys, `extra` by its keys and, where these are objects, by theirs; null takes a key out',
      }),
  }),
  z.strictObject({ op: z.literal('removeNode'), nodeId: z.string() }),
  z.strictObject({
    op: z.literal('connect'),
    link: Link.extend({ id: LinkId.optional().meta({ description: 'Drawn unless given' }) }),
    ifSame: z.enum(['keep', 'refuse']).optional().meta({ description: 'Where the same link is there already, it stays as it is (`keep`, unless set), or the edit is refused' }),
  }),
  z.strictObject({ op: z.literal('changeLink'), linkId: LinkId, ...Link.omit({ id: true }).partial().shape }),
  z
    .strictObject({
      op: z.literal('disconnect'),
      linkId: LinkId.optional(),
      link: Link.optional().meta({ description: 'In place of its id. Where there is none, nothing changes' }),
    })
    .refine((said) => (said.linkId === undefined) !== (said.link === undefined), { error: 'Name the link by its id or by what it says', path: ['linkId'] }),
  z.strictObject({
    op: z.literal('setSample'),
    nodeId: z.string(),
    ...sampled,
  }),
])
export type EditOperation = z.infer<typeof EditOperation>
