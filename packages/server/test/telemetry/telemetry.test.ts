import { expect, test } from 'vitest'
import { createLog } from '../../src/telemetry.ts'

function capture(options: { pretty?: boolean; level?: string } = {}) {
  const lines: string[] = []
  const log = createLog({ ...options, write: (line) => void lines.push(line) })
  return { log, text: () => lines.join(''), last: () => JSON.parse(lines.at(-1)!) as Record<string, unknown> }
}

test('a line is one JSON object with level, time, facts and the sentence', () => {
  const { log, last, text } = capture()
  log.child({ runId: 'r1' }).warn({ attempt: 2 }, 'retried')
  expect(last()).toEqual({ level: 'warn', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string, runId: 'r1', attempt: 2, msg: 'retried' })
  expect(text().endsWith('}\n')).toBe(true)
})

test.for([
  'authorization',
  'Cookie',
  'set-cookie',
  'password',
  'passwordHash',
  'secret',
  'clientSecret',
  'token',
  'accessToken',
  'refresh_token',
  'apiKey',
  'api_key',
  'x-api-key',
])('%s is hidden at any depth, in facts, in arrays and in what a child is bound to', (key) => {
  const { log, text } = capture()
  log.info({ [key]: 'hunter2', a: { b: { c: [{ [key]: 'hunter2' }] } } }, 'facts')
  log.child({ user: { [key]: 'hunter2' } }).info('bound')
  expect(text()).not.toContain('hunter2')
  expect(text()).toContain(`"${key}":"[hidden]"`)
})

test('words that merely sound alike are shown', () => {
  const { log, last } = capture()
  log.info({ tokens: 7, keyId: 'k1', tokenEpoch: 3, secretName: 'smtp' }, 'facts')
  expect(last()).toMatchObject({ tokens: 7, keyId: 'k1', tokenEpoch: 3, secretName: 'smtp' })
})

test('the password of an address is hidden in facts, errors and their causes', () => {
  const { log, text, last } = capture()
  log.info({ url: 'postgresql://me:hunter2@db/x' }, 'address')
  log.error({ err: new Error('cannot reach postgresql://me:hunter2@db/x', { cause: new Error('to http://a:hunter2@b') }) }, 'failed')
  expect(text()).not.toContain('hunter2')
  expect(last()).toMatchObject({ err: { type: 'Error', message: 'cannot reach postgresql://me:[hidden]@db/x', cause: { message: 'to http://a:[hidden]@b' } } })
})

test('an error shows what it is and where it was, and nothing it carries', () => {
  const { log, last } = capture()
  log.error({ err: Object.assign(new TypeError('no'), { code: '23505', detail: 'Key (email)=(a@b.c)', config: { password: 'hunter2' } }) }, 'failed')
  expect(last()['err']).toEqual({ type: 'TypeError', message: 'no', code: '23505', stack: expect.stringContaining('TypeError: no') as string })
})

test('what is deep, wide, binary or circular costs bounded room and no crash', () => {
  const { log, text } = capture()
  const circle: Record<string, unknown> = { bytes: Buffer.alloc(100_000), wide: Array.from({ length: 10_000 }, () => 1), big: 10n }
  circle['self'] = circle
  log.info(circle, 'odd')
  expect(text().length).toBeLessThan(10_000)
  expect(text()).toContain('[100000 bytes]')
})

test('at a terminal a line is for people', () => {
  const { log, text } = capture({ pretty: true })
  log.info({ runId: 'r1', steps: 2 }, 'started')
  expect(text()).toMatch(/^\d\d:\d\d:\d\d INFO {2}started runId=r1 steps=2\n$/)
})

test('the level decides what is written', () => {
  const { log, text } = capture({ level: 'error' })
  log.warn('quiet')
  expect(text()).toBe('')
})
