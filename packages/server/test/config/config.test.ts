import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isLoopback, environmentOf, loadConfig, withSecret } from '../../src/config.ts'
import { StartRefused } from '../../src/store/refused.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-config-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

test('without any variable the settings are those of the documentation', () => {
  expect(loadConfig({ PATH: '/bin' }, '/somewhere')).toEqual({
    host: '127.0.0.1',
    port: 7878,
    dataDir: '/somewhere/.sluice',
    databaseUrl: null,
    workflows: null,
    collections: null,
    secret: null,
    role: 'all',
    adminEmail: 'admin@sluice.local',
    adminPassword: null,
    anonymousRole: null,
    httpAllow: [],
    modelUrl: null,
    modelKey: null,
    model: null,
    corsOrigins: null,
    publicUrl: null,
    trustProxy: false,
    rateLimit: { api: 1200, playground: 120 },
    retention: { runs: 2_592_000_000, events: 86_400_000, keys: 86_400_000, files: 86_400_000, audit: 31_536_000_000 },
    metricsToken: null,
    tracing: null,
    logLevel: 'info',
    drainMs: 8000,
  })
})

test('the folder of workflows is meant from where the server is started', () => {
  expect(loadConfig({ SLUICE_WORKFLOWS: './flows' }, '/somewhere').workflows).toBe('/somewhere/flows')
})

test('settings of a program are read like those of the environment', () => {
  const given = { port: 0, databaseUrl: 'postgres://db/sluice', httpAllow: ['localhost:4000', '10.0.0.7'], trustProxy: true, secret: undefined }
  expect(environmentOf(given)).toEqual({ SLUICE_PORT: '0', SLUICE_DATABASE_URL: 'postgres://db/sluice', SLUICE_HTTP_ALLOW: 'localhost:4000,10.0.0.7', SLUICE_TRUST_PROXY: 'true' })
  expect(loadConfig(environmentOf(given))).toMatchObject({ port: 0, httpAllow: ['localhost:4000', '10.0.0.7'], trustProxy: true })
})

test('every variable is read under its name', () => {
  const settings = loadConfig({
    SLUICE_HOST: '::1',
    SLUICE_PORT: ' 80 ',
    SLUICE_DATA_DIR: '/data',
    SLUICE_DATABASE_URL: 'postgres://me:pass@db:5433/sluice?sslmode=require',
    SLUICE_WORKFLOWS: '/flows',
    SLUICE_COLLECTIONS: '/kept/collections.json',
    SLUICE_SECRET: 's'.repeat(32),
    SLUICE_ROLE: 'worker',
    SLUICE_ADMIN_EMAIL: 'me@example.com',
    SLUICE_ADMIN_PASSWORD: ' 12345678 ',
    SLUICE_ANONYMOUS_ROLE: 'viewer',
    SLUICE_HTTP_ALLOW: 'localhost:4000, 10.0.0.7',
    SLUICE_MODEL_URL: 'http://127.0.0.1:11434/v1/',
    SLUICE_MODEL_KEY: ' sk-1 ',
    SLUICE_MODEL: 'llama3.2:3b',
    SLUICE_CORS_ORIGINS: 'https://app.example.com/,http://localhost:3000',
    SLUICE_PUBLIC_URL: 'https://example.com/sluice/',
    SLUICE_TRUST_PROXY: '10.0.0.0/8, ::1',
    SLUICE_RATE_LIMIT: 'playground=7',
    SLUICE_RETENTION: ' runs=7d, keys = 90m,audit=forever ',
    SLUICE_METRICS_TOKEN: 'shown-by-prometheus',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
    SLUICE_LOG_LEVEL: 'debug',
    SLUICE_DRAIN_MS: '0',
  })
  expect(settings).toEqual({
    host: '::1',
    port: 80,
    dataDir: '/data',
    databaseUrl: 'postgres://me:pass@db:5433/sluice?sslmode=require',
    workflows: '/flows',
    collections: '/kept/collections.json',
    secret: 's'.repeat(32),
    role: 'worker',
    adminEmail: 'me@example.com',
    adminPassword: ' 12345678 ',
    anonymousRole: 'viewer',
    httpAllow: ['localhost:4000', '10.0.0.7'],
    modelUrl: 'http://127.0.0.1:11434/v1',
    modelKey: 'sk-1',
    model: 'llama3.2:3b',
    corsOrigins: ['https://app.example.com', 'http://localhost:3000'],
    publicUrl: 'https://example.com/sluice',
    trustProxy: ['10.0.0.0/8', '::1'],
    rateLimit: { api: 1200, playground: 7 },
    retention: { runs: 604_800_000, events: 86_400_000, keys: 5_400_000, files: 86_400_000, audit: null },
    metricsToken: 'shown-by-prometheus',
    tracing: { url: 'http://collector:4318/v1/traces', headers: {}, timeoutMs: 10_000, resource: { 'service.name': 'sluice' }, ratio: 1, delayMs: 5_000 },
    logLevel: 'debug',
    drainMs: 0,
  })
})

test.for([
  ['SLUICE_TRUST_PROXY', 'true', { trustProxy: true }],
  ['SLUICE_TRUST_PROXY', '2', { trustProxy: 2 }],
  ['SLUICE_RATE_LIMIT', 'off', { rateLimit: null }],
  ['SLUICE_RATE_LIMIT', 'api=5,playground=1', { rateLimit: { api: 5, playground: 1 } }],
  ['SLUICE_RETENTION', 'off', { retention: { runs: null, events: null, keys: null, files: null, audit: null } }],
  ['SLUICE_RETENTION', 'runs=off', { retention: { runs: null, events: 86_400_000 } }],
  ['SLUICE_RETENTION', 'files=30s', { retention: { files: 30_000 } }],
  ['SLUICE_PORT', '', { port: 7878 }],
  ['SLUICE_DATABASE_URL', ' ', { databaseUrl: null }],
] as const)('%s=%j is read', ([name, value, read]) => {
  expect(loadConfig({ [name]: value })).toMatchObject(read)
})

test.for([
  ['SLUICE_PORT', '70000', /a port from 0 to 65535/],
  ['SLUICE_PORT', '1e3', /a port from 0 to 65535/],
  ['SLUICE_HOST', 'http://localhost', /a host name or address/],
  ['SLUICE_DATABASE_URL', 'mysql://db/x', /postgresql:\/\//],
  ['SLUICE_DATABASE_URL', 'postgresql://db', /postgresql:\/\//],
  ['SLUICE_SECRET', 'short', /at least 32 characters/],
  ['SLUICE_ROLE', 'boss', /one of all, api, worker/],
  ['SLUICE_ADMIN_EMAIL', 'admin', /an email address/],
  ['SLUICE_ADMIN_PASSWORD', 'short', /8 to 1024 characters/],
  ['SLUICE_ANONYMOUS_ROLE', 'admin', /one of editor, operator, viewer/],
  ['SLUICE_HTTP_ALLOW', 'http://localhost/', /hosts or host:port/],
  ['SLUICE_MODEL_URL', 'localhost:11434', /an http or https address/],
  ['SLUICE_MODEL_URL', 'http://me:pass@a.b/v1', /an http or https address/],
  ['SLUICE_MODEL_URL', 'http://a.b/v1?key=x', /an http or https address/],
  ['SLUICE_MODEL_KEY', 'sk 1', /without spaces/],
  ['SLUICE_MODEL', 'offline', /offline is the built-in one/],
  ['SLUICE_CORS_ORIGINS', 'https://a.b,*', /origins such as/],
  ['SLUICE_CORS_ORIGINS', 'https://a.b/path', /origins such as/],
  ['SLUICE_PUBLIC_URL', 'ftp://a.b', /an http or https address/],
  ['SLUICE_TRUST_PROXY', '10.0.0.0/33', /true, false, a number/],
  ['SLUICE_RATE_LIMIT', 'api=0', /off, or limits a minute/],
  ['SLUICE_RETENTION', '30d', /off, or periods such as runs=30d/],
  ['SLUICE_RETENTION', 'runs=0d', /off, or periods such as runs=30d/],
  ['SLUICE_RETENTION', 'runs=30', /off, or periods such as runs=30d/],
  ['SLUICE_RETENTION', 'runs=1.5h', /off, or periods such as runs=30d/],
  ['SLUICE_RETENTION', 'logs=1d', /off, or periods such as runs=30d/],
  ['SLUICE_RETENTION', 'runs=1d,runs=2d', /off, or periods such as runs=30d/],
  ['SLUICE_RETENTION', 'runs=-1d', /off, or periods such as runs=30d/],
  ['SLUICE_LOG_LEVEL', 'loud', /one of fatal/],
  ['SLUICE_DRAIN_MS', '9000', /from 0 to 8000/],
] as const)('%s=%j is refused in one line with its name and what it should be', ([name, value, want]) => {
  const load = () => loadConfig({ [name]: value })
  expect(load).toThrow(StartRefused)
  expect(load).toThrow(new RegExp(`^${name} must be .*`))
  expect(load).toThrow(want)
  expect(load).not.toThrow('\n')
})

test('what was given is never repeated: it may be a password', () => {
  expect(() => loadConfig({ SLUICE_DATABASE_URL: 'mysql://me:hunter2@db/x' })).not.toThrow('hunter2')
})

test('all that is wrong is told at once', () => {
  expect(() => loadConfig({ SLUICE_PORT: 'x', SLUICE_ROLE: 'x', SLUICE_SPEED: '9' })).toThrow(/SLUICE_SPEED is not a setting.*SLUICE_PORT must.*SLUICE_ROLE must/)
})

test.for([
  ['SLUICE_PROT', 'SLUICE_PORT'],
  ['SLUICE_CORS_ORIGIN', 'SLUICE_CORS_ORIGINS'],
  ['SLUICE_DATABASE', 'SLUICE_DATABASE_URL'],
  ['SLUICE_LOG_LEVLE', 'SLUICE_LOG_LEVEL'],
] as const)('an unknown variable %s is refused, naming %s', ([given, near]) => {
  expect(() => loadConfig({ [given]: '1' })).toThrow(`${given} is not a setting of Sluice: did you mean ${near}?`)
})

test('an unknown variable without a neighbour is refused too, and those of the client and the tests are let be', () => {
  expect(() => loadConfig({ SLUICE_QUANTUM: 'yes' })).toThrow('SLUICE_QUANTUM is not a setting of Sluice: unset it')
  expect(loadConfig({ SLUICE_KEY: 'k', SLUICE_URL: 'http://x', SLUICE_TEST_BROWSER: 'b' }).port).toBe(7878)
})

test('nobody is let in without a credential on a host that others reach', () => {
  expect(() => loadConfig({ SLUICE_ANONYMOUS_ROLE: 'viewer', SLUICE_HOST: '0.0.0.0' })).toThrow(/SLUICE_ANONYMOUS_ROLE.*SLUICE_HOST/)
  expect(loadConfig({ SLUICE_ANONYMOUS_ROLE: 'viewer', SLUICE_HOST: '127.0.0.9' }).anonymousRole).toBe('viewer')
})

test('a model needs an address and a name, a key both', () => {
  const given = (settings: Record<string, string>) => () => loadConfig(settings)
  expect(given({ SLUICE_MODEL_URL: 'http://a.b/v1' })).toThrow(/^SLUICE_MODEL_URL is set without SLUICE_MODEL:/)
  expect(given({ SLUICE_MODEL: 'm' })).toThrow(/^SLUICE_MODEL without SLUICE_MODEL_URL:/)
  expect(given({ SLUICE_MODEL_KEY: 'sk-hunter2' })).toThrow(/^SLUICE_MODEL_KEY without SLUICE_MODEL_URL:/)
  expect(given({ SLUICE_MODEL: 'm', SLUICE_MODEL_KEY: 'sk-hunter2' })).toThrow(/^SLUICE_MODEL and SLUICE_MODEL_KEY without SLUICE_MODEL_URL:/)
  expect(given({ SLUICE_MODEL_KEY: 'sk-hunter2' })).not.toThrow('hunter2')
  expect(loadConfig({ SLUICE_MODEL_URL: 'http://a.b/v1', SLUICE_MODEL: 'm' })).toMatchObject({ modelUrl: 'http://a.b/v1', modelKey: null, model: 'm' })
})

test('loopback is this machine and nothing that looks like it', () => {
  expect(['localhost', '127.0.0.1', '127.8.8.8', '::1'].every(isLoopback)).toBe(true)
  expect(['0.0.0.0', '::', '127.0.0.1.example.com', '10.0.0.1', 'example.com', '::ffff:10.0.0.1'].some(isLoopback)).toBe(false)
})

test('the secret is made once, kept for this user alone, and the same ever after', () => {
  const settings = loadConfig({}, directory)
  const { secret } = withSecret(settings)
  expect(secret.length).toBeGreaterThanOrEqual(43)
  expect(withSecret(settings).secret).toBe(secret)
  const path = join(settings.dataDir, 'secret')
  expect(readFileSync(path, 'utf8').trim()).toBe(secret)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(readdirSync(settings.dataDir)).toEqual(['secret'])
})

test('a secret of the settings wins, and no file is made', () => {
  const settings = loadConfig({ SLUICE_SECRET: 's'.repeat(40) }, directory)
  expect(withSecret(settings).secret).toBe('s'.repeat(40))
  expect(readdirSync(directory)).toEqual([])
})

test('a secret that cannot be read or is cut short is refused, never replaced', () => {
  const settings = loadConfig({}, directory)
  mkdirSync(join(settings.dataDir, 'secret'), { recursive: true })
  expect(() => withSecret(settings)).toThrow(/cannot be read or made.*SLUICE_SECRET/)
  const other = loadConfig({ SLUICE_DATA_DIR: directory })
  writeFileSync(join(directory, 'secret'), 'short\n')
  expect(() => withSecret(other)).toThrow(/cannot be read or made.*SLUICE_SECRET/)
  expect(readFileSync(join(directory, 'secret'), 'utf8')).toBe('short\n')
})
