import { limits } from '@sluice/schema'
import type { Json, JsonObject } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import { OutsideError } from '../../outside/error.ts'
import type { OutsideErrorCode } from '../../outside/error.ts'
import type { Outside, OutsideAnswer } from '../../outside/outside.ts'
import { defineNode, StepFailure } from '../contract.ts'
import type { StepResult, WorkContext } from '../contract.ts'
import { encodedBody, parsedBody, readAnswer, withQuery } from '../http-message.ts'
import { AnyJson, JsonMap } from '../values.ts'

const Auth = Schema.Struct({
  secret: Schema.String.check(Schema.isMinLength(1)).annotate({ title: 'Secret', description: 'The name of a secret of the workspace, read at the moment of the call' }),
  header: Schema.optionalKey(Schema.String.annotate({ title: 'Header', description: 'The header that carries it; `Authorization` unless set' })),
  prefix: Schema.optionalKey(Schema.String.annotate({ title: 'Prefix', description: 'Stands before it; `Bearer ` unless set' })),
})

const Config = Schema.Struct({
  method: Schema.Literals(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']).annotate({ title: 'Method' }),
  url: Schema.String.check(Schema.isMinLength(1)).annotate({ title: 'URL', description: 'http or https; a Liquid template' }),
  headers: Schema.optionalKey(Schema.Record(Schema.String, Schema.String).annotate({ title: 'Headers' })),
  query: Schema.optionalKey(JsonMap.annotate({ title: 'Query', description: 'Added to the URL; a list repeats its key, null leaves it out' })),
  body: Schema.optionalKey(AnyJson.annotate({ title: 'Body', description: 'Text is sent as it is, everything else as JSON' })),
  auth: Schema.optionalKey(Auth.annotate({ title: 'Credentials' })),
  timeoutMs: Schema.optionalKey(
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 600_000 })).annotate({ title: 'Time-out', description: 'Milliseconds for the whole exchange; 30,000 unless set' }),
  ),
  onError: Schema.optionalKey(
    Schema.Literals(['fail', 'give']).annotate({
      title: 'On error',
      description:
        'Fail when no answer came, or one from 400 on, or give what there is: the answer whatever its status, and where none came a `status` of 0 with `error`, `{message, type}`; `fail` unless set',
    }),
  ),
})
type Config = typeof Config.Type

export const httpRequest = (outside: Outside) =>
  defineNode<Config>({
    type: 'http-request',
    title: 'HTTP request',
    description: 'Calls an HTTP service. The call carries an Idempotency-Key that is the same on every retry of the step.',
    category: 'work',
    config: Config,
    readings: { method: 'raw', 'query.**': 'value', 'body.**': 'value', 'auth.**': 'raw', onError: 'raw' },
    check: checkConfig,
    takesInput: false,
    // A secret is for who draws a workflow to send, and to nobody else.
    tool: { approval: true, without: ['auth', 'onError'] },
    behaviour: { is: 'work', run: (config, context) => call(outside, config, context) },
  })

function checkConfig({ method, headers, auth, ...config }: JsonObject) {
  const issues = []
  if ((method === 'GET' || method === 'HEAD') && 'body' in config) issues.push({ path: ['body'], message: `A ${method} request has no body` })
  const { header = 'Authorization' } = (auth ?? {}) as { header?: string }
  const twice = auth && Object.keys((headers ?? {}) as JsonObject).find((name) => name.toLowerCase() === String(header).toLowerCase())
  if (twice) issues.push({ path: ['headers', twice], message: 'This header is set by the credentials' })
  return issues
}

async function call(outside: Outside, config: Config, context: WorkContext): Promise<StepResult> {
  const secret = config.auth ? await context.abilities.secret(config.auth.secret) : null
  return { output: await (config.onError === 'give' ? given : answered)(outside, config, secret, context) }
}

async function answered(outside: Outside, config: Config, secret: string | null, context: WorkContext): Promise<Json> {
  const answer = await send(outside, config, secret, context).catch(failing)
  const { status, headers, text, binary } = readAnswer(answer, secret)
  if (status < 400) return { status, headers, body: binary ?? parsedBody(headers, text), durationMs: answer.durationMs }
  throw new StepFailure(`http_${status}`, `The service answered ${status}`, {
    retry: status >= 500 || status === 429,
    details: { status, body: text.slice(0, excerptCharacters) },
  })
}

/** What there is, whatever came: nothing is lost of an answer that is not what it says it is, and no answer is told as one, too. */
async function given(outside: Outside, config: Config, secret: string | null, context: WorkContext): Promise<Json> {
  const began = performance.now()
  try {
    const answer = await send(outside, config, secret, context)
    const { status, headers, text, binary } = readAnswer(answer, secret)
    return { status, headers, body: binary ?? bodyOrText(headers, text), durationMs: answer.durationMs, error: null }
  } catch (error) {
    if (!(error instanceof OutsideError)) throw error
    const durationMs = Math.round((performance.now() - began) * 100) / 100
    return { status: 0, headers: {}, body: null, durationMs, error: { message: error.message, type: error.code } }
  }
}

function bodyOrText(headers: Record<string, string>, text: string): Json {
  try {
    return parsedBody(headers, text)
  } catch (error) {
    if (error instanceof StepFailure) return text
    throw error
  }
}

const excerptCharacters = 2_000

/** Whether the same request may do better another time. */
const worthRetrying = {
  network: true,
  timed_out: true,
  refused_address: false,
  too_large: false,
  redirects: false,
  invalid_request: false,
} satisfies Record<OutsideErrorCode, boolean>

/** Throws an OutsideError. */
async function send(outside: Outside, config: Config, secret: string | null, { key, signal, traceparent }: WorkContext): Promise<OutsideAnswer> {
  const { body, type } = encodedBody(config.body)
  const carrier = (config.auth?.header ?? 'Authorization').toLowerCase()
  // In lower case, so that what the config says stands in place of what we would say.
  const headers = Object.fromEntries([
    ['idempotency-key', key],
    ...(type === null ? [] : [['content-type', type]]),
    ...Object.entries(config.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
    ...(secret === null ? [] : [[carrier, (config.auth?.prefix ?? 'Bearer ') + secret]]),
  ]) as Record<string, string>
  const { method, timeoutMs } = config
  return outside.request({
    method,
    url: withQuery(config.url, config.query),
    headers,
    body,
    credentialHeaders: [carrier],
    maxBytes: limits.stepOutputBytes,
    timeoutMs,
    signal,
    traceparent,
  })
}

function failing(error: unknown): never {
  if (!(error instanceof OutsideError)) throw error
  throw new StepFailure(`http_${error.code}`, error.message, { retry: worthRetrying[error.code] })
}
