import { expect } from 'vitest'

/**
 * The examples of the document, letter by letter (documents/playground.txt, "API Routes Documentation"): a request as it is
 * sent, and its answer. Where they have dots, anything may stand.
 */

export const examples = {
  start: {
    request: `POST /api/chat/playground/start?workflowMode=Actionplan
Content-Type: application/json

{
  "input": "Analyze the quarterly sales data",
  "files": [...],
  "metadata": {}
}`,
    response: `{
  "id": "wf_123456",
  "userId": "user_abc",
  "status": "running",
  "mode": "Actionplan",
  "messageIds": [...],
  "logIds": [...],
  "createdAt": 1234567890.0,
  ...
}`,
  },
  stop: {
    request: 'POST /api/chat/playground/wf_123456/stop',
    response: `{
  "id": "wf_123456",
  "status": "stopped",
  "stoppedAt": 1234567890.0,
  ...
}`,
  },
  chatData: {
    request: 'GET /api/chat/playground/wf_123456/chatData?afterTimestamp=1234567800.0',
    response: `{
  "messages": [
    {
      "id": "msg_001",
      "content": "Hello",
      "_createdAt": 1234567890.0,
      ...
    }
  ],
  "logs": [
    {
      "id": "log_001",
      "level": "info",
      "message": "Processing started",
      "_createdAt": 1234567891.0,
      ...
    }
  ],
  "stats": [...],
  "documents": [...]
}`,
  },
  list: {
    request: 'GET /api/workflows/',
    response: `[
  {
    "id": "wf_001",
    "userId": "user_abc",
    "status": "completed",
    "createdAt": 1234567890.0,
    ...
  },
  {
    "id": "wf_002",
    "userId": "user_abc",
    "status": "running",
    "createdAt": 1234567990.0,
    ...
  }
]`,
  },
  get: {
    request: 'GET /api/workflows/wf_123456',
    response: `{
  "id": "wf_123456",
  "userId": "user_abc",
  "status": "running",
  "mode": "Actionplan",
  "messageIds": ["msg_001", "msg_002"],
  "logIds": ["log_001", "log_002"],
  "createdAt": 1234567890.0,
  "updatedAt": 1234567990.0,
  ...
}`,
  },
  update: {
    request: `PUT /api/workflows/wf_123456
Content-Type: application/json

{
  "name": "Sales Analysis Q4",
  "tags": ["sales", "analysis"]
}`,
    response: `{
  "id": "wf_123456",
  "name": "Sales Analysis Q4",
  "tags": ["sales", "analysis"],
  ...
}`,
  },
  status: {
    request: 'GET /api/workflows/wf_123456/status',
    response: `{
  "id": "wf_123456",
  "status": "running",
  "currentStep": "analyzing",
  "progress": 45,
  "updatedAt": 1234567990.0
}`,
  },
  logs: {
    request: 'GET /api/workflows/wf_123456/logs',
    newer: 'GET /api/workflows/wf_123456/logs?logId=log_050',
    response: `[
  {
    "id": "log_001",
    "workflowId": "wf_123456",
    "level": "info",
    "message": "Workflow started",
    "timestamp": 1234567890.0,
    ...
  },
  {
    "id": "log_002",
    "workflowId": "wf_123456",
    "level": "warning",
    "message": "Slow response detected",
    "timestamp": 1234567900.0,
    ...
  }
]`,
  },
  messages: {
    request: 'GET /api/workflows/wf_123456/messages',
    newer: 'GET /api/workflows/wf_123456/messages?messageId=msg_100',
    response: `[
  {
    "id": "msg_001",
    "workflowId": "wf_123456",
    "role": "user",
    "content": "Analyze the data",
    "timestamp": 1234567890.0,
    "files": [...],
    ...
  },
  {
    "id": "msg_002",
    "workflowId": "wf_123456",
    "role": "assistant",
    "content": "Processing your request...",
    "timestamp": 1234567900.0,
    ...
  }
]`,
  },
  deleteWorkflow: {
    request: 'DELETE /api/workflows/wf_123456',
    response: `{
  "id": "wf_123456",
  "message": "Workflow and associated data deleted successfully"
}`,
  },
  deleteMessage: {
    request: 'DELETE /api/workflows/wf_123456/messages/msg_050',
    response: `{
  "workflowId": "wf_123456",
  "messageId": "msg_050",
  "message": "Message deleted successfully"
}`,
  },
  deleteFile: {
    request: 'DELETE /api/workflows/wf_123456/messages/msg_050/files/file_123',
    response: `{
  "workflowId": "wf_123456",
  "messageId": "msg_050",
  "fileId": "file_123",
  "message": "File reference deleted successfully"
}`,
  },
  error: `{
  "detail": "Error message describing what went wrong"
}`,
} as const

/** "Integration Examples", a request a paragraph. */
export const integrations = {
  upload: `POST /api/chat/playground/start?workflowMode=Actionplan
{
  "input": "Analyze this report",
  "files": [{"id": "file_001", "name": "report.pdf"}]
}

GET /api/chat/playground/wf_123456/chatData

GET /api/chat/playground/wf_123456/chatData?afterTimestamp=1234567890.0`,
  monitoring: `POST /api/chat/playground/start

GET /api/workflows/wf_123456/status

GET /api/workflows/wf_123456/logs

POST /api/chat/playground/wf_123456/stop`,
  cleanup: `GET /api/workflows/

DELETE /api/workflows/wf_old_123

DELETE /api/workflows/wf_old_124`,
} as const

// ── as requests ────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface Request {
  method: string
  path: string
  body?: unknown
}

/** With real ids, times and lists in place of the made-up ones. */
export function requestOf(text: string, real: Readonly<Record<string, string>> = {}): Request {
  const [line = '', ...rest] = Object.entries(real)
    .reduce((all, [shown, meant]) => all.replaceAll(shown, meant), text)
    .split('\n')
  const [method = '', path = ''] = line.split(' ')
  const body = rest.join('\n').replace(/^Content-Type: .*\n/, '')
  return { method, path, ...(body.trim() !== '' && { body: JSON.parse(body) as unknown }) }
}

export const requestsOf = (text: string, real?: Readonly<Record<string, string>>): Request[] => text.split('\n\n').map((each) => requestOf(each, real))

// ── as answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────

type Shown = string | number | boolean | null | Shown[] | { [key: string]: Shown }

const anything = '\u2026'

/** Dots in an object are further keys; in a list, any items. */
const shownIn = (text: string): Shown =>
  JSON.parse(
    text
      .replaceAll('[...]', `"${anything}"`)
      .replaceAll(/,\n\s*\.\.\.\n/g, `, "${anything}": true\n`)
      .replaceAll(/: (\d+)\.0/g, ': $1'),
  ) as Shown

/** Ids are of their kind, numbers are numbers; of words that are for a person to read or to choose, any is a text. */
const free = /^(message|content|currentStep)$/

/** That an answer is as an example shows it: every key of it, of the same kind, and no other where it shows all of them. */
export function expectAs(answer: unknown, text: string): void {
  check(answer, shownIn(text), 'answer')
}

function check(value: unknown, shown: Shown, at: string): void {
  if (shown === anything) return expect(value, at).toBeInstanceOf(Array)
  if (typeof shown === 'number') return expect(value, at).toBeTypeOf('number')
  if (typeof shown === 'string') return checkText(value, shown, at)
  if (Array.isArray(shown)) {
    expect(value, at).toBeInstanceOf(Array)
    const items = value as unknown[]
    expect(items.length, at).toBeGreaterThanOrEqual(shown.length)
    for (const [place, each] of shown.entries()) check(items[place], each, `${at}[${place}]`)
    return
  }
  const { [anything]: more, ...keys } = shown as { [key: string]: Shown }
  expect(value, at).toBeTypeOf('object')
  for (const [key, each] of Object.entries(keys)) {
    expect(value, at).toHaveProperty([key])
    check((value as Record<string, unknown>)[key], each, `${at}.${key}`)
  }
  if (more === undefined && !('currentStep' in keys) && !('messages' in keys)) expect(Object.keys(value as object).sort(), at).toEqual(Object.keys(keys).sort())
}

function checkText(value: unknown, shown: string, at: string): void {
  const [, prefix] = /^(wf|msg|log|file)_/.exec(shown) ?? []
  if (prefix !== undefined) return expect(value, at).toMatch(new RegExp(`^${prefix}_[a-z0-9]{15}$`))
  const key = at.split('.').at(-1)!
  if (shown.endsWith('successfully')) return expect(value, at).toBe(shown)
  if (key === 'userId' || key === 'detail' || free.test(key)) return expect(value, at).toBeTypeOf('string')
  expect(value, at).toBe(shown)
}
