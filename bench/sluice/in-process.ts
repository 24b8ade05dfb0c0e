import type { Definition } from '../../packages/schema/src/index.ts'
import { createAccess } from '../../packages/server/src/access/authenticate.ts'
import { migrateQueue } from '../../packages/server/src/app.ts'
import { type Actor, type Engine, createEngine, createQueue } from '../../packages/server/src/engine/index.ts'
import { createDoorbell } from '../../packages/server/src/events/doorbell.ts'
import { createModels } from '../../packages/server/src/models/models.ts'
import { createCatalogue } from '../../packages/server/src/nodes/catalogue.ts'
import type { AnyNode } from '../../packages/server/src/nodes/contract.ts'
import { createOutside } from '../../packages/server/src/outside/outside.ts'
import { createSandbox } from '../../packages/server/src/sandbox/sandbox.ts'
import { type Database, byKey, openDatabase } from '../../packages/server/src/store/database.ts'
import { migrate } from '../../packages/server/src/store/migrate.ts'
import { openOrm } from '../../packages/server/src/store/orm.ts'
import { createLog } from '../../packages/server/src/telemetry.ts'
import { createPlans } from '../../packages/server/src/workflows/plans.ts'
import { createWorkflows } from '../../packages/server/src/workflows/workflows.ts'
import { keepInFlight, timed } from '../closed-loop.ts'
import type { Open } from '../contestant.ts'
import { account } from './account.ts'
import { step as noStep } from './step.ts'

/** The engine with its worker, its clock and an actor, as `app.ts` wires them, without a server in front. */
export interface InProcess {
  engine: Engine
  actor: Actor
  database: Database
  /** Answers with the workflow's id. */
  draw(definition: Definition): Promise<string>
  close(): Promise<void>
}

/** Connections as in `app.ts`. */
const connections = { pool: 12, movers: 12, pulse: 3, writers: 8 }

export async function openInProcess(databaseUrl: string, step: AnyNode = noStep): Promise<InProcess> {
  await migrate(databaseUrl, { also: () => migrateQueue(databaseUrl) })
  const log = createLog({ level: 'error', write: (line) => void process.stderr.write(line) })
  const onError = (error: Error): void => log.error({ err: error }, 'the database met an error')
  const database = openDatabase({ url: databaseUrl, max: connections.pool, onError })
  const pulse = openDatabase({ url: databaseUrl, max: connections.pulse, onError })
  const moving = openDatabase({ url: databaseUrl, max: connections.movers, settings: byKey, onError })
  const writer = openDatabase({ url: databaseUrl, max: connections.writers, settings: byKey, onError })
  const actor = await firstActor(databaseUrl)
  const doorbell = createDoorbell(database)
  const queue = createQueue(pulse, { supervise: true, onError })
  const outside = createOutside({ allow: [] })
  const sandbox = createSandbox()
  const catalogue = createCatalogue({ outside, sandbox, models: createModels({ configured: null, outside }) }, [step])
  const workflows = createWorkflows({ database, catalogue })
  const { engine, worker, clock } = createEngine({
    database: moving,
    writer,
    queue,
    doorbell,
    catalogue,
    plans: createPlans(catalogue),
    workflows,
    secret: async () => '',
    writeFile: () => Promise.reject(new Error('no files here')),
    log,
  })
  await queue.start()
  worker.start()
  clock.start()
  return {
    engine,
    actor,
    database,
    draw: async (definition) => (await workflows.create(actor, { name: 'Three steps', definition })).id,
    async close() {
      await Promise.all([worker.drain(1_000), clock.stop()])
      await queue.stop()
      await doorbell.close()
      await Promise.all([sandbox.close(), outside.close()])
      await Promise.all([pulse.close(), writer.close(), moving.close(), database.close()])
    },
  }
}

/** The first admin, made as the first start of a server makes them. */
async function firstActor(databaseUrl: string): Promise<Actor> {
  const database = openDatabase({ url: databaseUrl, max: 1 })
  const orm = openOrm(databaseUrl)
  try {
    await createAccess({ orm, database, secret: account.secret }).members.bootstrap({ adminEmail: account.email, adminPassword: account.password })
    const [member] = await database.query<{ workspaceId: string; userId: string }>('select workspace_id as "workspaceId", user_id as "userId" from members')
    if (!member) throw new Error('There is no first member')
    return { ...member, principalId: member.userId }
  } finally {
    await orm.close()
    await database.close()
  }
}

const waitMs = 60_000

/** Runs of this definition: started, and waited for until they are finished. */
export const engineRunning =
  (definition: Definition): Open =>
  async (databaseUrl) => {
    const { engine, actor, draw, close } = await openInProcess(databaseUrl)
    const workflow = await draw(definition)

    async function run(): Promise<void> {
      const { id, status } = await engine.start(actor, { workflow, wait: { until: 'finished', ms: waitMs } })
      if (status !== 'completed') throw new Error(`Run ${id} is ${status}`)
    }
    return { load: async (inFlight) => keepInFlight(timed(run), inFlight), close }
  }
