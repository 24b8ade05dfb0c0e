// What the bench uses of Medusa's packages: `npm test` checks its types without installing them.
import type { Server } from 'node:http'

export interface Container {
  register(parts: Record<string, { resolve(): unknown }>): void
  createScope(): Container
  resolve(name: string): WorkflowEngine
}

export interface WorkflowEngine {
  run(workflowId: string, options: object): Promise<{ acknowledgement: { transactionId: string; hasFinished: boolean; hasFailed: boolean } }>
  listWorkflowExecutions(filters: object, config: object): Promise<{ id: string; state: string }[]>
}

export interface Request {
  scope: Container
  params: Record<string, string>
  validatedBody: { transaction_id?: string; input?: unknown }
  requestId: string
}

export interface Response {
  status(code: number): { json(body: unknown): void }
}

export type Handler = (request: Request, response: Response, next: (error?: unknown) => void) => void | Promise<void>

export const container: Container
export const ContainerRegistrationKeys: { LOGGER: string; CONFIG_MODULE: string }
export const Modules: { WORKFLOW_ENGINE: string }
export const configManager: { config: unknown; loadConfig(given: object): void }
export const z: { object(shape: object): unknown; string(): { optional(): unknown }; any(): { optional(): unknown } }
export function authenticate(actor: string, types: readonly string[]): Handler
export function validateAndTransformBody(schema: unknown): Handler
export function errorHandler(): Handler
export function generateJwtToken(payload: object, options: { secret: string; expiresIn: string }): string
export function remoteQueryObjectFromString(query: object): object
export function createStep(name: string, does: () => Promise<StepResponse>): (input: unknown) => unknown
export function createWorkflow(options: object, compose: (input: unknown) => WorkflowResponse): void
export class StepResponse {
  constructor(output: unknown)
}
export class WorkflowResponse {
  constructor(output: unknown)
}
export function MedusaApp(options: object): Promise<{
  modules: Record<string, WorkflowEngine>
  query(query: object): Promise<unknown[]>
  runMigrations(): Promise<void>
  onApplicationStart(): Promise<void>
  onApplicationShutdown(): Promise<void>
}>

/** Of express. */
export interface Express {
  use(handler: Handler): void
  get(path: string, ...handlers: Handler[]): void
  post(path: string, ...handlers: Handler[]): void
  listen(port: number, host: string, listening: () => void): Server
}
