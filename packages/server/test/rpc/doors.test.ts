import { type DecisionInclude, type Definition, Fault, faultKinds, faults, type FaultCode, type FiledVersion, type ListedRunInclude } from '@sluice/schema'
import { callTRPCProcedure, TRPCError } from '@trpc/server'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { actions } from '../../src/access/policy.ts'
import { proceduresOf, rowsOf } from '../../src/http/rows.ts'
import { placesOf } from '../../src/http/shapes.ts'
import type { Context } from '../../src/rpc/context.ts'
import { problemOf } from '../../src/rpc/faults.ts'
import { appRouter } from '../../src/rpc/router.ts'
import { router } from '../../src/rpc/trpc.ts'
import { Outage } from '../../src/store/index.ts'
import { createToys, ids, principal } from './toys.ts'

const procedures = proceduresOf(appRouter)

describe('every door', () => {
  test('says an action of the policy, or that it is open', () => {
    expect(Object.keys(procedures).length).toBeGreaterThan(35)
    for (const [name, { meta }] of Object.entries(procedures)) expect([name, [...actions, 'signed-in', 'public']]).toEqual([name, expect.arrayContaining([meta.action])])
    expect(Object.entries(procedures).flatMap(([name, { meta }]) => (meta.action === 'public' ? [name] : []))).toEqual([
      'records.login',
      'auth.login',
      'auth.refresh',
      'auth.setPassword',
    ])
  })

  test('a procedure without an action keeps the rows from being made', async () => {
    const { initTRPC } = await import('@trpc/server')
    const bare = initTRPC.create()
    expect(() => proceduresOf(bare.router({ a: bare.procedure.query(() => 1) }))).toThrow('The procedure a says no action')
    expect(() => rowsOf(router({}))).not.toThrow()
  })

  test('has an address of its own under /v1, named after its input', () => {
    const rows = rowsOf(appRouter)
    expect(placesOf(rows).length).toBeGreaterThan(35)
    for (const { path } of rows) expect(path).toMatch(/^\/v1\/[a-z]/)
    for (const [name, { meta, input }] of Object.entries(procedures)) {
      const shape = input ? Object.keys((input as z.ZodObject).shape ?? {}) : []
      const names = [meta.openapi?.path, ...(meta.streams ?? []).map(({ path }) => path)].flatMap((path) => [...(path ?? '').matchAll(/\{(\w+)\}/g)].map(([, each]) => each))
      for (const each of names) expect([name, shape]).toEqual([name, expect.arrayContaining([each])])
    }
  })

  test('turns away who may not: no principal, a principal that was refused, a role below', async () => {
    const { parts, calls } = createToys()
    const call = (path: string, input: unknown, over: Partial<Context>) =>
      callTRPCProcedure({
        router: appRouter,
        path,
        type: procedures[path]!.type,
        getRawInput: async () => input,
        ctx: { parts, principal: null, requestId: 'r', ip: '::1', attempt: async () => () => {}, ...over } satisfies Context,
        signal: undefined,
        batchIndex: 0,
      }).then(
        () => 'done',
        (error: unknown) => problemOf(error).code,
      )
    for (const [name, { meta, type }] of Object.entries(procedures))
      if (meta.action !== 'public' && type !== 'subscription') expect([name, await call(name, {}, {})]).toEqual([name, 'credential_missing'])
    expect(await call('runs.get', { id: ids.run }, { refusal: new Fault('credential_invalid') })).toBe('credential_invalid')
    expect(await call('runs.cancel', { id: ids.run }, { principal: principal({ role: 'viewer' }) })).toBe('permission_denied')
    expect(await call('runs.cancel', { id: ids.run }, { principal: principal({ role: 'owner', scopes: ['pauses'], credential: 'key' }) })).toBe('permission_denied')
    expect(calls).toEqual([])
    expect(await call('runs.cancel', { id: ids.run, compensate: true }, { principal: principal({ role: 'operator', id: 'key1' }) })).toBe('done')
    expect(calls).toEqual([
      {
        name: 'engine.cancel',
        args: [
          { workspaceId: ids.workspace, userId: ids.user, principalId: 'key1', traceparent: null },
          { id: ids.run, compensate: true },
        ],
      },
    ])
  })

  test('tells with a run only what the principal may ask for by itself, and does nothing where it may not', async () => {
    const { parts, calls } = createToys()
    const caller = (...scopes: string[]) =>
      appRouter.createCaller({ parts, principal: principal({ role: 'operator', scopes, credential: 'key' }), requestId: 'r', ip: '::1', attempt: async () => () => {} })
    const told = (call: Promise<unknown>) =>
      call.then(
        () => 'done',
        (error: unknown) => problemOf(error).code,
      )
    const { run: id, pause } = ids
    const asked = (include: ListedRunInclude[], ...scopes: string[]) => {
      const { runs } = caller('runs', ...scopes)
      return Promise.all(
        [runs.get({ id, include }), runs.list({ include }), runs.wait({ id, include }), runs.cancel({ id, include }), runs.start({ workflow: 'w', include })].map(told),
      )
    }
    const all = (answer: string) => Array.from({ length: 5 }, () => answer)
    expect(await asked(['version'], 'pauses.read')).toEqual(all('permission_denied'))
    expect(await asked(['pauses'], 'workflows.read', 'pauses.decide')).toEqual(all('permission_denied'))
    const decided = (include: DecisionInclude[], ...scopes: string[]) => told(caller('pauses.decide', ...scopes).pauses.decide({ id: pause, action: 'approve', include }))
    expect(await decided(['run'], 'pauses.read')).toBe('permission_denied')
    expect(await decided(['run', 'version'], 'runs')).toBe('permission_denied')
    expect(calls).toEqual([])
    expect(await asked(['version', 'pauses'], 'workflows.read', 'pauses.read')).toEqual(all('done'))
    expect(await decided(['run', 'version'], 'runs.read', 'workflows.read')).toBe('done')
  })

  test('takes versions in a file only from who may publish', async () => {
    const { parts, calls } = createToys()
    const importing = (scope: string, versions: FiledVersion[]) =>
      appRouter
        .createCaller({ parts, principal: principal({ role: 'editor', scopes: [scope], credential: 'key' }), requestId: 'r', ip: '::1', attempt: async () => () => {} })
        .workflows.import({ format: 'sluice.workflow/1', name: 'Brought', draft, versions })
        .then(
          () => 'done',
          (error: unknown) => problemOf(error).code,
        )
    const draft: Definition = { kind: 'workflow', nodes: [], links: [] }
    const version = { number: 1, hash: '0'.repeat(64), name: 'Brought', description: '', definition: draft }
    expect(await importing('workflows.edit', [version])).toBe('permission_denied')
    expect(calls).toEqual([])
    expect(await importing('workflows.edit', [])).toBe('done')
    expect(await importing('workflows', [version])).toBe('done')
  })

  test('hands on the input of the schema: an unknown key is refused, a default is filled in', async () => {
    const { parts, calls } = createToys()
    const caller = appRouter.createCaller({ parts, principal: principal(), requestId: 'r', ip: '::1', attempt: async () => () => {} })
    await expect(caller.runs.list({ nonsense: 1 } as never)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    await caller.runs.list({})
    expect(calls).toEqual([{ name: 'views.listRuns', args: [parts.database, ids.workspace, { limit: 50 }] }])
  })
})

describe('the witness', () => {
  const secret = 'SECRET-VALUE'

  async function ask(name: string, input: unknown, over: Partial<Context> = {}) {
    const { parts, deeds, failWith } = createToys()
    if (over.refusal) failWith.error = over.refusal
    const ctx: Context = { parts, principal: principal(), requestId: 'r1', ip: '10.1.2.3', attempt: async () => () => {}, ...over }
    await callTRPCProcedure({ router: appRouter, path: name, type: procedures[name]!.type, getRawInput: async () => input, ctx, signal: undefined, batchIndex: 0 }).catch(() => {})
    return deeds
  }

  test('tells of every mutation of a principal, done or refused, and of no query', async () => {
    for (const [name, { type }] of Object.entries(procedures)) {
      if (type === 'subscription') continue
      const deeds = await ask(name, {})
      expect([name, deeds.map(({ action }) => action)]).toEqual([name, type === 'mutation' ? [name] : []])
    }
    expect(await ask('runs.cancel', { id: ids.run })).toEqual([
      { principal: principal(), action: 'runs.cancel', resource: ids.run, outcome: 'done', code: null, details: {}, requestId: 'r1', ip: '10.1.2.3' },
    ])
    expect(await ask('runs.cancel', { id: ids.run }, { principal: principal({ role: 'viewer' }) })).toMatchObject([
      { outcome: 'refused', code: 'permission_denied', resource: ids.run },
    ])
    expect(await ask('runs.cancel', { id: ids.run }, { refusal: new Fault('run_ended') })).toMatchObject([{ outcome: 'refused', code: 'run_ended' }])
    expect(await ask('runs.cancel', { id: ids.run }, { refusal: new Outage('away') })).toMatchObject([{ outcome: 'failed', code: 'unavailable' }])
  })

  test('tells of logins that fail, and of nothing else that nobody stands behind', async () => {
    const out = { principal: null }
    expect(await ask('auth.login', { email: 'ada@example.com', password: 'wrong' }, out)).toMatchObject([
      { principal: null, outcome: 'refused', code: 'login_failed', details: { email: 'ada@example.com' } },
    ])
    expect(await ask('auth.setPassword', { token: 'wrong', password: 'long enough' }, out)).toMatchObject([{ outcome: 'refused', code: 'credential_invalid' }])
    expect(await ask('auth.login', { email: 'a@b', password: 'x' }, { ...out, attempt: () => Promise.reject(new Fault('rate_limited')) })).toEqual([])
    for (const [name, { meta, type }] of Object.entries(procedures))
      if (type === 'mutation' && meta.action !== 'public') expect([name, await ask(name, {}, out)]).toEqual([name, []])
  })

  test('repeats no secret, whatever the input', async () => {
    const inputs = {
      'auth.login': { email: 'a@b.c', password: secret },
      'auth.refresh': { refreshToken: secret },
      'auth.setPassword': { token: secret, password: secret },
      'users.changePassword': { current: secret, next: secret },
      'members.invite': { email: 'a@b.c', role: 'viewer', password: secret },
      'secrets.set': { name: 'stripe', value: secret },
      'runs.start': { workflow: 'w', input: { password: secret }, idempotencyKey: secret },
      'pauses.decide': { id: ids.pause, action: 'approve', inputs: { a: secret }, comments: secret },
    }
    for (const [name, input] of Object.entries(inputs)) {
      const deeds = await ask(name, input)
      expect([name, deeds.length]).toEqual([name, 1])
      expect(JSON.stringify(deeds)).not.toContain(secret)
    }
    expect(await ask('members.invite', { email: 'a@b.c', role: 'viewer', password: secret })).toMatchObject([{ resource: ids.user, details: { email: 'a@b.c', role: 'viewer' } }])
    expect(await ask('secrets.set', { name: 'x'.repeat(1_000), value: [secret] })).toMatchObject([{ resource: null, details: {}, code: 'input_invalid' }])
  })
})

describe('problems', () => {
  test('every fault keeps its code, kind and status, bare or inside a TRPCError', () => {
    for (const code of Object.keys(faults) as FaultCode[]) {
      const fault = new Fault(code, { details: { a: 1 }, retryAfter: 3 })
      const expected = { code, kind: faults[code].kind, status: faultKinds[faults[code].kind], details: { a: 1 }, retryAfter: 3 }
      expect(problemOf(fault)).toMatchObject(expected)
      expect(problemOf(new TRPCError({ code: 'INTERNAL_SERVER_ERROR', cause: fault }))).toMatchObject(expected)
    }
  })

  test('an outage is a 503 with a time to come again; a bug is a 500; neither shows its text', () => {
    expect(problemOf(new Outage('host 10.0.0.1'))).toMatchObject({ code: 'unavailable', status: 503, retryAfter: 2 })
    for (const thrown of [
      new Error('select * from users'),
      new TypeError('x'),
      'text',
      null,
      undefined,
      { code: 'run_missing' },
      new TRPCError({ code: 'INTERNAL_SERVER_ERROR', cause: new Error('secret') }),
    ]) {
      const problem = problemOf(thrown)
      expect(problem).toMatchObject({ code: 'internal', status: 500 })
      expect(JSON.stringify(problem)).not.toMatch(/select|secret|10\.0/)
    }
  })

  test('input that does not fit is told by place, without its values; output that does not fit is a bug', () => {
    const schema = z.strictObject({ a: z.number(), b: z.union([z.strictObject({ id: z.string() }), z.strictObject({ name: z.string(), more: z.number() })]) })
    const { error } = schema.safeParse({ a: 'secret', b: { name: 'secret', more: 'secret' }, c: 1 })
    const problem = problemOf(new TRPCError({ code: 'BAD_REQUEST', cause: error }))
    expect(problem).toMatchObject({ code: 'input_invalid', status: 400 })
    expect(problem.issues.map(({ path }) => path)).toEqual([['a'], ['b', 'more'], ['c']])
    expect(JSON.stringify(problem)).not.toContain('secret')
    expect(problemOf(new TRPCError({ code: 'INTERNAL_SERVER_ERROR', cause: error })).code).toBe('internal')
    expect(problemOf(error).code).toBe('internal')
  })

  test('what tRPC refuses by itself has our words', () => {
    for (const [code, status] of [
      ['NOT_FOUND', 404],
      ['PARSE_ERROR', 400],
      ['METHOD_NOT_SUPPORTED', 405],
      ['UNSUPPORTED_MEDIA_TYPE', 415],
      ['PAYLOAD_TOO_LARGE', 413],
      ['TIMEOUT', 500],
    ] as const)
      expect([code, problemOf(new TRPCError({ code })).status]).toEqual([code, status])
  })
})
