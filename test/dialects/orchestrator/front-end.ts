import type { Json, JsonObject } from '@sluice/schema'
import { expect } from 'vitest'
import { WebSocket } from 'ws'

/**
 * A client with the habits of the front end that the Orchestrator's API was made for, as its public source shows them: which requests it
 * sends, what it reads of the answers, when it gives up. It knows nothing of this server; what it reads and does not find fails the test.
 */

const text = expect.any(String)
const number = expect.any(Number)
const list = expect.any(Array)
const object = expect.any(Object)

/** What it reads. Keys that it does not read may be there, too. */
const workflow = { id: text, name: text, status: expect.stringMatching(/^(active|inactive|error)$/), runs_count: number, tags: list, created_at: text, updated_at: text }
const nodeType = { identifier: text, name: text, type: text, has_form: expect.any(Boolean), input_ports: list, output_ports: list }
const canvasNode = { id: text, position: { x: number, y: number }, node_type: nodeType, form_values: object, input_data: object, output_data: object }
const nodeMeta = { name: text, identifier: text, type: text, has_form: expect.any(Boolean), category: text }
const formField = { tag: expect.stringMatching(/^(input|select|textarea)$/), name: text, label: text, errors: list }

/** Fails unless all of it is there. */
export function reads<T>(answer: Json, shape: unknown): T {
  expect(answer).toMatchObject(shape as object)
  return answer as T
}

export interface FrontNode {
  id: string
  position: { x: number; y: number }
  form_values: JsonObject
  input_data: JsonObject
  output_data: JsonObject
  node_type: { identifier: string; output_ports: { id: string }[] }
}
export interface FrontEdge {
  id: string
  source: string
  target: string
  sourceHandle: string
}
export interface FrontWorkflow {
  id: string
  name: string
  status: string
  runs_count: number
  task_id?: string | null
}
interface Folder {
  nodes: { identifier: string; category: string; has_form: boolean }[]
  subfolders: Record<string, Folder>
}
export interface Executed {
  success: boolean
  output: { data: JsonObject; metadata: JsonObject } | null
  error: string | null
  error_type: string | null
  form: FrontForm | null
}
export interface FrontForm {
  fields: { name: string; errors: string[]; value?: Json }[]
}

/** An answer that is no success: what was answered is in `data`. */
export class FrontError extends Error {
  readonly status: number
  readonly data: JsonObject
  constructor(request: string, status: number, data: JsonObject) {
    super(`${request}: ${status} ${JSON.stringify(data)}`)
    this.status = status
    this.data = data
  }
}

const patienceMs = 30_000
/** Where its pages come from. */
export const origin = 'http://localhost:3000'

export class FrontEnd {
  readonly #url: string
  access = ''
  refresh = ''
  /** What it asked, in order. */
  readonly asked: string[] = []

  constructor(url: string) {
    this.#url = url
  }

  async #ask(method: string, path: string, body?: unknown, again = true): Promise<Json> {
    this.asked.push(`${method} ${path}`)
    const response = await fetch(`${this.#url}/api${path}`, {
      method,
      headers: { 'content-type': 'application/json', origin, ...(this.access !== '' && { authorization: `Bearer ${this.access}` }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(patienceMs),
    })
    expect(response.headers.get('access-control-allow-origin'), 'a page of another origin may read it').toMatch(/^(\*|http:\/\/localhost:3000)$/)
    const written = await response.text()
    const answer = written === '' ? null : (JSON.parse(written) as Json)
    if (response.ok) return answer
    if (response.status === 401 && again && this.refresh !== '') {
      // Of the new pair it takes the one, and goes on with the old refresh token.
      const renewed = reads<{ access: string }>(await this.#ask('POST', '/auth/refresh/', { refresh: this.refresh }, false), { access: text })
      this.access = renewed.access
      return this.#ask(method, path, body, false)
    }
    throw new FrontError(`${method} ${path}`, response.status, answer as JsonObject)
  }

  async login(username: string, password: string): Promise<void> {
    const answer = await this.#ask('POST', '/auth/login/', { username, password })
    Object.assign(
      this,
      reads<{ access: string; refresh: string }>(answer, { user: { id: text, username: text, email: text, first_name: text, last_name: text }, access: text, refresh: text }),
    )
  }

  logout = (): Promise<Json> => this.#ask('POST', '/auth/logout/', { refresh: this.refresh })

  async workflows(): Promise<FrontWorkflow[]> {
    const answer = await this.#ask('GET', '/workflow/')
    const found = Array.isArray(answer) ? answer : ((answer as JsonObject)['results'] as Json[])
    return found.map((each) => reads(each, workflow))
  }

  createWorkflow = async (name: string): Promise<FrontWorkflow> =>
    reads(await this.#ask('POST', '/workflow/', { name, description: 'Made by the front end', status: 'inactive', runs_count: 0, tags: ['a'], created_by: 'User' }), workflow)

  renameWorkflow = async (id: string, name: string): Promise<FrontWorkflow> =>
    reads(await this.#ask('PUT', `/workflow/${id}/`, { name, description: 'Renamed', status: 'inactive', runs_count: 0, tags: [], created_by: 'User' }), { ...workflow, name })

  deleteWorkflow = (id: string): Promise<Json> => this.#ask('DELETE', `/workflow/${id}/`)

  async openCanvas(id: string): Promise<{ nodes: FrontNode[]; edges: FrontEdge[]; workflow: FrontWorkflow }> {
    const shape = { nodes: list, edges: list, workflow: { id: text, name: text, status: text, runs_count: number } }
    const canvas = reads<{ nodes: Json[]; edges: Json[]; workflow: FrontWorkflow }>(await this.#ask('GET', `/workflow/${id}/canvas_data/`), shape)
    return { nodes: canvas.nodes.map((node) => reads<FrontNode>(node, canvasNode)), edges: canvas.edges.map(edgeOf), workflow: canvas.workflow }
  }

  /** The identifiers of the palette, folder by folder. */
  async palette(): Promise<Map<string, string>> {
    const found = new Map<string, string>()
    const open = (folders: Record<string, Folder>): void => {
      for (const { nodes, subfolders } of Object.values(folders)) {
        for (const node of nodes) found.set(reads<Folder['nodes'][number]>(node, nodeMeta).identifier, node.category)
        open(subfolders)
      }
    }
    open((await this.#ask('GET', '/nodes/')) as unknown as Record<string, Folder>)
    expect(found.size).toBe(reads<{ count: number }>(await this.#ask('GET', '/nodes/count/'), { count: number }).count)
    expect(((await this.#ask('GET', '/nodes/flat/')) as Json[]).length).toBe(found.size)
    return found
  }

  async form(identifier: string): Promise<FrontForm | null> {
    const { form } = reads<{ form: FrontForm | null }>(await this.#ask('GET', `/nodes/${identifier}/form/`), { node: nodeMeta })
    for (const field of form?.fields ?? []) reads(field as unknown as Json, formField)
    return form
  }

  addNode = async (id: string, nodeTemplate: string, position: FrontNode['position'], form_values: JsonObject = {}): Promise<Pick<FrontNode, 'id' | 'position' | 'form_values'>> =>
    reads(await this.#ask('POST', `/workflow/${id}/nodes/add/`, { nodeTemplate, position, form_values }), { id: text, position, form_values })

  moveNode = (id: string, node: string, position: FrontNode['position']): Promise<Json> => this.#ask('PATCH', `/workflow/${id}/nodes/${node}/position/`, { position })
  saveForm = (id: string, node: string, form_values: JsonObject): Promise<Json> => this.#ask('PATCH', `/workflow/${id}/nodes/${node}/`, { form_values })
  removeNode = (id: string, node: string): Promise<Json> => this.#ask('DELETE', `/workflow/${id}/nodes/${node}/remove/`)
  connect = async (id: string, source: string, target: string, sourceHandle?: string): Promise<FrontEdge> =>
    edgeOf(await this.#ask('POST', `/workflow/${id}/connections/add/`, { source, target, sourceHandle }))
  disconnect = (id: string, edge: string): Promise<Json> => this.#ask('DELETE', `/workflow/${id}/connections/${edge}/remove/`)

  /** The input of a node that its dialog begins with. */
  inputOf = async (id: string, node: string): Promise<JsonObject> => reads(await this.#ask('GET', `/workflow/${id}/nodes/${node}/input/`), {})

  execute = async (id: string, node_id: string, form_values: JsonObject, input_data: JsonObject, session_id: string): Promise<Executed> =>
    reads(await this.#ask('POST', `/workflow/${id}/execute_and_save_node/`, { node_id, form_values, input_data, session_id }), { success: expect.any(Boolean) })

  /** Its reset button: of the type, not of the node. */
  resetSession = (identifier: string, session_id: string): Promise<Json> => this.#ask('POST', `/nodes/${identifier}/reset-session/`, { session_id })

  start = async (id: string): Promise<{ task_id: string; status: string }> => reads(await this.#ask('GET', `/workflow/${id}/start_execution/`), { task_id: text, status: text })
  stop = async (id: string): Promise<{ task_id: string; status: string }> => reads(await this.#ask('GET', `/workflow/${id}/stop_execution/`), { task_id: text, status: text })
  status = async (id: string): Promise<string> => reads<{ status: string }>(await this.#ask('GET', `/workflow/${id}/task_status/`), { task_id: text, status: text }).status

  /** Every two seconds, until it has begun or ended. */
  async poll(id: string): Promise<string> {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 2_000))
      const status = await this.status(id)
      expect(['PENDING', 'STARTED', 'RETRY', 'SUCCESS', 'FAILURE', 'REVOKED']).toContain(status)
      if (status !== 'PENDING' && status !== 'RETRY') return status
    }
  }

  watch = (id: string): FrontSocket => new FrontSocket(`${this.#url.replace('http', 'ws')}/ws/workflow/${id}/`)
}

/** Of an edge it reads three keys, and gives them names of its own. */
function edgeOf(answer: Json): FrontEdge {
  const { id, source_node, target_node, source_handle } = reads<Record<string, string>>(answer, { id: text, source_node: text, target_node: text, source_handle: text })
  return { id: id!, source: source_node!, target: target_node!, sourceHandle: source_handle || 'default' }
}

const executing = { node_id: text, node_type: text, started_at: text, duration_seconds: number }
const frames: Record<string, unknown> = {
  state_sync: {
    state: { workflow_id: text, status: expect.stringMatching(/^(idle|running|completed|failed)$/), executing_nodes: object, completed_nodes: list, completed_count: number },
  },
  node_started: { node_id: text, node_type: text, started_at: text },
  node_completed: { node_id: text, node_type: text, duration: number },
  node_failed: { node_id: text, node_type: text, error: text },
  workflow_completed: { status: text, duration: number },
  workflow_failed: { error: text },
}

interface Frame {
  type: string
  node_id: string
  node_type: string
  started_at: string
  route?: string
  state: { status: string; executing_nodes: Record<string, JsonObject> }
}

/**
 * Its socket, which sends no credential, and comes back three seconds after it was lost: up to five times, which it counts anew whenever
 * it was let in.
 */
export class FrontSocket {
  readonly #url: string
  #socket: WebSocket | null = null
  #left = 5
  #isLeaving = false
  #broken: Error | null = null
  readonly #lookers = new Set<() => void>()
  connections = 0
  /** With which it was closed. */
  readonly codes: number[] = []
  /** What its page shows. */
  status = ''
  executing: Record<string, unknown> = {}
  /** Nodes that it lit the edges of, with the branch. */
  readonly lit: [node: string, route: string | undefined][] = []

  constructor(url: string) {
    this.#url = url
    this.#connect()
  }

  #connect(): void {
    const socket = (this.#socket = new WebSocket(this.#url, { origin }))
    socket.on('open', () => {
      this.connections++
      this.#left = 5
    })
    socket.on('error', () => {})
    socket.on('message', (data: Buffer) => {
      try {
        this.#read(JSON.parse(data.toString()) as Frame)
      } catch (error) {
        this.#broken ??= error as Error
      }
      for (const look of this.#lookers) look()
    })
    socket.on('close', (code) => {
      this.codes.push(code)
      if (this.#isLeaving || code === 1000) return
      if (this.#left-- > 0) setTimeout(() => this.#isLeaving || this.#connect(), 3_000)
      else this.status = 'error'
      for (const look of this.#lookers) look()
    })
  }

  #read(frame: Frame): void {
    if (frames[frame.type]) reads(frame as unknown as Json, frames[frame.type])
    switch (frame.type) {
      case 'state_sync':
        for (const node of Object.values(frame.state.executing_nodes)) reads(node, executing)
        this.executing = { ...frame.state.executing_nodes }
        // That nothing goes on changes nothing of what it shows.
        if (frame.state.status !== 'idle') this.status = frame.state.status
        return
      case 'node_started':
        this.executing[frame.node_id] = { node_id: frame.node_id, node_type: frame.node_type, started_at: frame.started_at, duration_seconds: 0 }
        return
      case 'node_completed':
        this.lit.push([frame.node_id, frame.route])
        delete this.executing[frame.node_id]
        return
      case 'node_failed':
        delete this.executing[frame.node_id]
        return
      case 'workflow_completed':
      case 'workflow_failed':
        this.status = frame.type === 'workflow_completed' ? 'completed' : 'failed'
        this.executing = {}
        this.close()
    }
  }

  /** Edges that it lights for what a node was told of: those of the branch, where one is told. */
  static litBy([node, route]: FrontSocket['lit'][number], edges: readonly FrontEdge[]): FrontEdge[] {
    return edges.filter(({ source, sourceHandle }) => source === node && (!route || sourceHandle === route))
  }

  /** Loses its connection, as a laptop does that sleeps. */
  lose(): void {
    this.#socket?.terminate()
  }

  close(): void {
    this.#isLeaving = true
    this.#socket?.close(1000, 'Manual disconnect')
  }

  async until(what: string, holds: () => boolean, ms = 25_000): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}; it shows ${this.status} ${JSON.stringify(this.executing)}`)), ms)
    const look = (): void => {
      if (this.#broken) reject(this.#broken)
      else if (holds()) resolve()
    }
    this.#lookers.add(look)
    look()
    await promise.finally(() => {
      clearTimeout(timer)
      this.#lookers.delete(look)
    })
  }
}
