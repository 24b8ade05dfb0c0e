import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Definition, JsonObject, Run, SentMessage } from '@sluice/schema'
import { startEmbedded } from '../../packages/server/src/embedded/index.ts'
import { migrations } from '../../packages/server/src/store/migrations/index.ts'
import { createLog } from '../../packages/server/src/telemetry.ts'
import { approval, delay, external, flow, map, signal, subworkflow, type FlowNode } from '../support/flow.ts'
import { type Program, endAll, eventually, here, start } from '../support/processes.ts'
import { receiver } from '../support/receiver.ts'
import { admin, type Caller, callerOf } from '../support/server.ts'
import { type Given, secret, taken } from './state.ts'

/** Writes the state of a server of this version that is killed in the middle of everything: README.md. */

const out = here(`../upgrades/${migrations.at(-1)!.name}.state.gz`)

async function make(): Promise<Buffer> {
  service.before = ({ step }) => {
    if (step === 'refuse' || step === 'flaky') throw new Error('not now')
    return step === 'slow' || step === 'undo' ? new Promise(() => {}) : undefined
  }
  const first = await serve()
  const { token, refreshToken } = await callerOf(first.url, '').call<{ token: string; refreshToken: string }>('POST', '/v1/auth/login', admin)
  const caller = callerOf(first.url, token)
  const given = await fill(caller, first.url, token, refreshToken)
  await kill(first.program)

  // With nobody to do it: what is asked for stays queued.
  const doors = await serve({ SLUICE_ROLE: 'api' })
  given.runs['queued'] = (await callerOf(doors.url, token).start(given.workflows['echo']!, { input: { n: 1 } })).id
  await kill(doors.program)

  const boss = (await import(pathToFileURL(createRequire(here('../../packages/server/package.json')).resolve('pg-boss')).href)) as { getConstructionPlans(schema: string): string }
  return taken(postgres.url, { jobs: boss.getConstructionPlans('sluice_jobs'), given, calls: service.url })
}

async function serve(more: Record<string, string> = {}): Promise<{ program: Program; url: string }> {
  const program = start([here('../../packages/server/src/main.ts'), 'serve'], {
    SLUICE_DATABASE_URL: postgres.url,
    SLUICE_PORT: '0',
    SLUICE_SECRET: secret,
    SLUICE_ADMIN_EMAIL: admin.email,
    SLUICE_ADMIN_PASSWORD: admin.password,
    SLUICE_HTTP_ALLOW: service.host,
    SLUICE_COLLECTIONS: here('../upgrades/collections.json'),
    SLUICE_RATE_LIMIT: 'off',
    SLUICE_LOG_LEVEL: 'warn',
    ...more,
  })
  const [, url] = await program.says(/^Sluice is ready at (http:\S+)$/m, 60_000)
  return { program, url: url! }
}

async function kill(program: Program): Promise<void> {
  program.kill('SIGKILL')
  await program.ended
}

/** A call whose address comes with the run: definitions are hashed, and must not change with the address. */
const calls = (step: string, settings: JsonObject = {}): FlowNode => ({ type: 'http-request', config: { method: 'POST', url: `{{ input.service }}/${step}` }, settings })

async function fill(caller: Caller, url: string, token: string, refreshToken: string): Promise<Given> {
  const out: FlowNode = { type: 'output', config: { map: { n: '{{ input.n }}' } } }
  const workflows: Record<string, string> = {}
  const draw = async (name: string, definition: Definition) => (workflows[name] = (await caller.workflow(definition, name)).id)
  await draw('echo', flow({ in: 'input', out }, ['in > out']))
  await draw('approval', flow({ in: 'input', ask: approval(), out }, ['in > ask > out']))
  await draw('signal', flow({ in: 'input', go: signal('go'), out }, ['in > go > out']))
  await draw('report', flow({ in: 'input', parcel: external(), out }, ['in > parcel > out']))
  await draw('timer', flow({ in: 'input', nap: delay(2_000), out }, ['in > nap > out']))
  await draw('child', flow({ in: 'input', sub: subworkflow(workflows['approval']!), out }, ['in > sub > out']))
  await draw('many', flow({ in: 'input', each: map('input.items'), ask: approval({ in: 'each' }), out }, ['in > each > out']))
  await draw('running', flow({ in: 'input', pay: calls('slow'), out }, ['in > pay > out']))
  await draw('retrying', flow({ in: 'input', pay: calls('flaky', { retry: { maxAttempts: 50, backoffMs: 400 } }), out }, ['in > pay > out']))
  const undo = { compensate: { type: 'http-request', config: { method: 'POST', url: '{{ input.service }}/undo' } } }
  await draw('compensating', flow({ in: 'input', pay: calls('pay', undo), bad: calls('refuse'), out }, ['in > pay > bad > out']))

  const input = { n: 1, service: service.url, items: [1, 2, 3] }
  const runs: Record<string, string> = {}
  const begin = async (name: string, workflow = name, more: JsonObject = {}): Promise<Run> => {
    const run = await caller.start(workflows[workflow]!, { input, ...more })
    runs[name] = run.id
    return run
  }
  const idempotencyKey = 'the-order-of-tuesday'
  const asked = await caller.start(workflows['approval']!, { input: { n: 1 }, idempotencyKey, wait: { until: 'parked', ms: 20_000 } })
  runs['approval'] = asked.id
  const held = await begin('held', 'approval')
  for (const name of ['signal', 'child', 'many', 'retrying', 'compensating', 'running']) await begin(name)
  await begin('report', 'report', { transactionId: 'parcel-7' })
  await begin('finished', 'echo')
  await caller.wait(runs['finished']!)
  await eventually('the child asks', async () => (await caller.get(runs['child']!)).status === 'waiting')
  await caller.wait(held, 'parked')
  await caller.call('POST', `/v1/runs/${held.id}/hold`, {})

  const { session } = await caller.call<SentMessage>('POST', '/v1/sessions/send', { to: workflows['approval']!, text: 'hello' })
  const key = await caller.call<{ secret: string }>('POST', '/v1/keys', { name: 'of before' })
  await caller.call('PUT', '/v1/secrets/stripe', { value: 'sk_live_1' })
  await caller.call('PUT', '/v1/queues/jobs', {})
  await caller.call('POST', '/v1/queues/jobs/items', { items: [{ n: 1 }, { n: 2 }, { n: 3 }] })
  const hook = await caller.call<{ id: string; address: string }>('POST', '/v1/webhooks', { name: 'orders', trigger: { workflow: workflows['echo']! } })
  const record = await caller.call<{ id: string }>('POST', '/v1/collections/notes/records', { values: { text: 'kept' } })
  const file = await upload(url, token, 'what was uploaded\n')
  const schedule = await caller.call<{ id: string }>('POST', '/v1/schedules', { workflow: workflows['echo']!, everyMs: 2_000, input: { n: 1 } })

  await Promise.all([service.called('slow'), service.called('flaky'), service.called('undo')])
  const cursors = { workspace: await lastId(url, token, '/v1/events'), run: await lastId(url, token, `/v1/runs/${asked.id}/events?after=0`) }
  // Last, so that it still sleeps when the server is killed.
  await begin('timer')
  await caller.wait(runs['timer']!, 'parked')
  const [pause] = await caller.pauses(asked)
  return {
    runs,
    workflows,
    pause: pause!.id,
    apiKey: key.secret,
    refreshToken,
    idempotencyKey,
    cursors,
    session: session.id,
    schedule: schedule.id,
    webhook: { id: hook.id, address: hook.address },
    queue: 'jobs',
    record: { collection: 'notes', id: record.id },
    file: { id: file, content: 'what was uploaded\n' },
  }
}

async function upload(url: string, token: string, text: string): Promise<string> {
  const form = new FormData()
  form.set('file', new Blob([text], { type: 'text/plain' }), 'kept.txt')
  const response = await fetch(`${url}/v1/files`, { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: form })
  const { files } = (await response.json()) as { files: { id: string }[] }
  return files[0]!.id
}

/** The id of the last message that a stream has so far. */
async function lastId(url: string, token: string, path: string): Promise<string> {
  const response = await fetch(url + path, { headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' } })
  const reader = response.body!.getReader()
  const end = setTimeout(() => void reader.cancel(), 1_500)
  let text = ''
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) text += Buffer.from(piece.value).toString('utf8')
  clearTimeout(end)
  const [, id] = [...text.matchAll(/^id: (\S+)$/gm)].at(-1) ?? []
  if (id === undefined) throw new Error(`no message came from ${path}: ${text}`)
  return id
}

const folder = await mkdtemp(join(tmpdir(), 'sluice-state-'))
const postgres = await startEmbedded({ dataDir: join(folder, 'data'), log: createLog({ level: 'error' }), fsync: false })
const service = await receiver()
try {
  const state = await make()
  await writeFile(out, state)
  process.stdout.write(`Wrote ${out}: ${state.length} bytes\n`)
} finally {
  endAll()
  await service.close()
  await postgres.stop(1_000)
  await rm(folder, { recursive: true, force: true })
}
