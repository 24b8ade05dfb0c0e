import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { container } from '@medusajs/framework'
import { configManager } from '@medusajs/framework/config'
import { authenticate, errorHandler, validateAndTransformBody } from '@medusajs/framework/http'
import { MedusaApp } from '@medusajs/framework/modules-sdk'
import { ContainerRegistrationKeys, generateJwtToken, Modules, remoteQueryObjectFromString } from '@medusajs/framework/utils'
import { createStep, createWorkflow, StepResponse, WorkflowResponse } from '@medusajs/framework/workflows-sdk'
import { z } from '@medusajs/framework/zod'
import type { Express, Handler } from './framework.d.ts'

// A module of CommonJS, taken as that.
const express = createRequire(import.meta.url)('express') as (() => Express) & { json(): Handler }

/**
 * Medusa's workflow engine behind HTTP: its own packages (`@medusajs/framework`, `@medusajs/workflow-engine-inmemory`), its
 * table, its check of the token and of the body, and of its routes the two that are measured, as `@medusajs/medusa` has them.
 * What the shop around has beside is left out: other modules, sessions, compression, the log of requests.
 */
export interface MedusaServer {
  url: string
  token: string
  /** The id of an execution of it that is done. */
  execution(): Promise<string>
  close(): Promise<void>
}

export const workflow = 'three-steps'

const secret = 'a secret for as long as a measurement takes'
/** What its migrations keep its log for. */
const silent = new Proxy({}, { get: (_, name) => (name === 'shouldLog' ? () => false : () => {}) })
/** As `query-config` of the route has them. */
const fields = ['id', 'workflow_id', 'transaction_id', 'context', 'execution', 'state', 'created_at', 'updated_at', 'deleted_at']
const body = z.object({ input: z.any().optional(), transaction_id: z.string().optional() })

/** Its own reader of addresses knows a socket by its folder in place of the host. */
function addressOf(databaseUrl: string): string {
  const url = new URL(databaseUrl)
  const folder = url.searchParams.get('host')
  if (folder === null) return databaseUrl
  const password = url.password === '' ? '' : `:${url.password}`
  return `postgresql://${url.username}${password}@${encodeURIComponent(folder)}:${url.searchParams.get('port') ?? (url.port || 5432)}${url.pathname}`
}

export async function openMedusa(databaseUrl: string): Promise<MedusaServer> {
  const database = { clientUrl: addressOf(databaseUrl), driverOptions: { connection: { ssl: false } } }
  container.register({ [ContainerRegistrationKeys.LOGGER]: { resolve: () => silent } })
  // `retentionTime` is what makes it keep an execution that is done.
  const steps = ['first', 'second', 'third'].map((name) => createStep(name, async () => new StepResponse(null)))
  createWorkflow({ name: workflow, store: true, retentionTime: 3_600 }, (input) => {
    for (const step of steps) step(input)
    return new WorkflowResponse(input)
  })
  const key = Modules.WORKFLOW_ENGINE
  const definition = { key, label: 'WorkflowEngine', isQueryable: true, defaultModuleDeclaration: { scope: 'internal' }, __passSharedContainer: true }
  const app = await quietly(async () => {
    const made = await MedusaApp({
      modulesConfig: { [key]: { resolve: '@medusajs/workflow-engine-inmemory', options: { database }, definition } },
      sharedResourcesConfig: { database },
      injectedDependencies: { [ContainerRegistrationKeys.LOGGER]: silent },
      sharedContainer: container,
      cwd: import.meta.dirname,
    })
    await made.runMigrations()
    await made.onApplicationStart()
    const http = { jwtSecret: secret, cookieSecret: secret, authCors: '', adminCors: '', storeCors: '' }
    configManager.loadConfig({ projectConfig: { projectConfig: { http, databaseUrl: database.clientUrl } }, baseDir: import.meta.dirname })
    return made
  })
  const engine = app.modules[key]!
  container.register({ [ContainerRegistrationKeys.CONFIG_MODULE]: { resolve: () => configManager.config }, [key]: { resolve: () => engine } })

  const server = express()
  const admin = authenticate('user', ['bearer'])
  server.use(express.json())
  server.use((request, _, next) => {
    request.scope = container.createScope()
    next()
  })
  server.post('/admin/workflows-executions/:workflow_id/run', admin, validateAndTransformBody(body), (request, response, next) => {
    const { transaction_id, input } = request.validatedBody
    const run = request.scope.resolve(key).run(request.params['workflow_id']!, { transactionId: transaction_id, input, context: { requestId: request.requestId } })
    run.then(({ acknowledgement }) => response.status(200).json({ acknowledgement })).catch(next)
  })
  server.get('/admin/workflows-executions/:id', admin, (request, response, next) => {
    const asked = remoteQueryObjectFromString({ entryPoint: 'workflow_execution', variables: { id: request.params['id'] }, fields })
    app
      .query(asked)
      .then(([workflow_execution]) => response.status(200).json({ workflow_execution }))
      .catch(next)
  })
  server.use(errorHandler())
  const listening = await new Promise<ReturnType<typeof server.listen>>((resolve) => {
    const opened = server.listen(0, '127.0.0.1', () => resolve(opened))
  })
  const { port } = listening.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    token: generateJwtToken({ actor_id: 'bench', actor_type: 'user', auth_identity_id: 'bench', app_metadata: { user_id: 'bench' } }, { secret, expiresIn: '1d' }),
    async execution() {
      await engine.run(workflow, { input: {} })
      const [done] = await engine.listWorkflowExecutions({}, {})
      if (done?.state !== 'done') throw new Error(`The execution is ${done?.state ?? 'not stored'}`)
      return done.id
    },
    async close() {
      listening.closeAllConnections()
      await new Promise((resolve) => listening.close(resolve))
      await app.onApplicationShutdown()
    },
  }
}

/** It tells of each migration, and of modules of the shop that are not there, in ways that its log does not see. */
async function quietly<T>(work: () => Promise<T>): Promise<T> {
  const { log, warn, error, info } = console
  const nothing = (): void => {}
  Object.assign(console, { log: nothing, warn: nothing, error: nothing, info: nothing })
  try {
    return await work()
  } finally {
    Object.assign(console, { log, warn, error, info })
  }
}
