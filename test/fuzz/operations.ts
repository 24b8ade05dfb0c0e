import type { Json, JsonObject } from '@sluice/schema'
import type { Dialect } from '../../packages/server/src/dialects/dialect.ts'
import { medusa } from '../../packages/server/src/dialects/medusa/index.ts'
import { openai } from '../../packages/server/src/dialects/openai/index.ts'
import { orchestrator } from '../../packages/server/src/dialects/orchestrator/index.ts'
import { playground } from '../../packages/server/src/dialects/playground/index.ts'
import { pocketbase } from '../../packages/server/src/dialects/pocketbase/index.ts'
import { pyspur } from '../../packages/server/src/dialects/pyspur/index.ts'
import { proceduresOf } from '../../packages/server/src/http/rows.ts'
import { servedRouter } from '../../packages/server/src/http/served.ts'
import { describeDialect } from '../../packages/server/src/openapi/dialect.ts'
import { describeNative } from '../../packages/server/src/openapi/native.ts'
import { type Contract, contractOf, type Operation } from '../../packages/server/test/openapi/contract.ts'

export const dialects: readonly Dialect[] = [pyspur, orchestrator, medusa, pocketbase, playground, openai]

/** An operation of a face, however it is reached. */
export interface Target {
  /** `sluice runs.get`, `trpc runs.get`, `trpc dialects.pyspur.getRun`, `pyspur /api getRun`. */
  name: string
  /** The document that tells of it. */
  face: string
  /** As the document names it. */
  id: string
  over: 'rest' | 'trpc' | 'subscription'
  /** How the address begins: where a dialect is mounted, or of a procedure its path. */
  at: string
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  contract: Contract
  /** Absent where only tRPC has it. */
  operation?: Operation
  /** Whether a procedure of tRPC takes what the wire says, in its parts. */
  inParts: boolean
}

const contracts = new Map<string, Contract>([['sluice', contractOf(describeNative())], ...dialects.map((dialect) => [dialect.name, contractOf(describeDialect(dialect))] as const)])

const restTargets: Target[] = [...contracts].flatMap(([face, contract]) =>
  (dialects.find(({ name }) => name === face)?.mounts ?? ['']).flatMap((at) =>
    [...contract.operations.values()].map((operation): Target => ({
      name: `${face}${at === '' ? '' : ` ${at}`} ${operation.id}`,
      face,
      id: operation.id,
      over: 'rest',
      at,
      method: operation.method as Target['method'],
      contract,
      operation,
      inParts: false,
    })),
  ),
)

const trpcTargets: Target[] = Object.entries(proceduresOf(servedRouter(dialects))).map(([path, { type }]): Target => {
  const [, dialect, row] = /^dialects\.(\w+)\.(.+)$/.exec(path) ?? []
  const face = dialect ?? 'sluice'
  const contract = contracts.get(face)!
  const operation = contract.operations.get(row ?? path)
  return {
    name: `trpc ${path}`,
    face,
    id: row ?? path,
    over: type === 'subscription' ? 'subscription' : 'trpc',
    at: path,
    method: type === 'mutation' ? 'POST' : 'GET',
    contract,
    ...(operation && { operation }),
    inParts: dialect !== undefined,
  }
})

export const targets: readonly Target[] = [...restTargets, ...trpcTargets]

export const schemasOf = ({ contract }: Target): Record<string, JsonObject> => contract.document.components.schemas

/** Every body of an error that any of the documents knows. */
export const isAnError = (body: Json): boolean => [...contracts.values()].some((contract) => errorSchemas(contract).some((schema) => contract.check(body, schema) === null))

const known = new WeakMap<Contract, JsonObject[]>()
function errorSchemas(contract: Contract): JsonObject[] {
  const found = known.get(contract)
  if (found) return found
  const all = [...contract.operations.values()].flatMap(({ responses }) =>
    Object.entries(responses).flatMap(([status, { content }]) => (status < '400' || !content?.['application/json'] ? [] : [JSON.stringify(content['application/json'].schema)])),
  )
  const schemas = [...new Set(all)].map((text) => JSON.parse(text) as JsonObject)
  known.set(contract, schemas)
  return schemas
}
