import { EventSource } from 'eventsource'
import PocketBase from 'pocketbase'
import { absent, type Face, hearing, passesOf, Unsaid } from '../face.ts'

// As its documentation asks of whoever runs it in Node.
Object.assign(globalThis, { EventSource })

const view = 'what others decide is a view here: records of it are read, and told'

interface Row {
  id: string
  status: string
}

/** PocketBase's records and realtime, by its own SDK. */
export const pocketbase: Face = {
  name: 'pocketbase',
  title: 'PocketBase',
  departures: {
    draw: { why: 'workflows are a view here: a record has no graph', tried: 'POST /api/collections/workflows/records', answered: 400 },
    publish: { why: 'workflows are a view here', tried: 'PATCH /api/collections/workflows/records/{id}', answered: 400 },
    answer: { why: view, tried: 'PATCH /api/collections/pauses/records/{id}', answered: 400 },
    decide: { why: view, tried: 'PATCH /api/collections/pauses/records/{id}', answered: 400 },
  },
  conversations: true,
  samples: true,
  async teller({ url }, token) {
    const pb = new PocketBase(url)
    pb.autoCancellation(false)
    pb.authStore.save(token)
    const user = String((JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { sub: string }).sub)
    const sessions = pb.collection('workflow_sessions')
    const openPause = async (run: string) => {
      const { items } = await pb.collection('pauses').getList<{ id: string; message: string }>(1, 1, { filter: pb.filter('run = {:run} && status = "open"', { run }) })
      if (!items[0]) throw new Unsaid('no open pause')
      return items[0]
    }
    const decide = async (run: string) => pb.collection('pauses').update((await openPause(run)).id, { status: 'approved' })
    return {
      draw: async (definition, name) => (await pb.collection('workflows').create<Row>({ name, definition })).id,
      publish: ({ id }) => pb.collection('workflows').update(id, { version: 1 }),
      start: async ({ id }, text) => ({ session: (await sessions.create<Row>({ title: text, user, workflow: id, status: 'running', context: { text } })).id }),
      continue: ({ session }, text) => sessions.update(session!, { status: 'running', context: { text } }),
      async status({ session }) {
        if (session === null) throw new Unsaid('no conversation')
        return (await sessions.getOne<Row>(session)).status
      },
      runs: async ({ id }) =>
        (await pb.collection('runs').getList<Row>(1, 100, { filter: pb.filter('workflow = {:id}', { id }), sort: '-created,-id' })).items.map((run) => run.id),
      pause: async ({ run }) => (await openPause(run)).message,
      answer: ({ run }) => decide(run),
      decide: ({ run }) => decide(run),
      async watch({ id }) {
        const heard = hearing<Row>()
        // A connection of its own: so one watcher leaves without the others.
        const own = new PocketBase(url)
        own.authStore.save(token)
        await own.collection('runs').subscribe<Row>('*', ({ record }) => heard.hear(record), { filter: pb.filter('workflow = {:id}', { id }) })
        const mine = (items: readonly Row[], run: string): string[] => items.filter((each) => each.id === run).map(({ status }) => status)
        return {
          paused: ({ run }) => heard.until('a run that waits', (items) => (mine(items, run).at(-1) === 'waiting' ? true : undefined)),
          whole: ({ run }) => heard.until('the end of a run', (items) => (ends.has(mine(items, run).at(-1) ?? '') ? inTurn(mine(items, run)) : undefined)),
          leave: () => void own.realtime.unsubscribe().catch(() => {}),
        }
      },
      cancel: ({ session }) => sessions.update(session!, { status: 'idle' }),
      missing: () => sessions.getOne(absent),
      malformed: () => pb.send('/api/collections/workflow_sessions/records', { method: 'POST', body: '{"title": ', headers: { 'content-type': 'application/json' } }),
    }
  },
  // A record is told as it stands at each event: what comes together is told as it then is.
  told: passesOf,
}

const ends = new Set(['completed', 'failed', 'cancelled', 'compensated'])

const inTurn = (statuses: readonly string[]): string[] => statuses.filter((status, at) => status !== statuses[at - 1])
