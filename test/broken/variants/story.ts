import type { Variant } from '../variant.ts'

const src = (path: string): string => `packages/server/src/${path}`
const dialect = (path: string): string => src(`dialects/${path}`)
const statuses = { file: 'test/proof/statuses.test.ts', test: 'a run that is' }
const steps = { file: 'test/proof/statuses.test.ts', test: 'steps in every state are told so by every face that tells steps' }
const pairs = { file: 'test/proof/pairs.test.ts', test: 'is run or continued, watched and answered in every other' }
const story = { file: 'test/proof/story.test.ts', test: 'tells the story, but for its departures' }

/** Of what all faces tell of the same rows. */
export const variants: readonly Variant[] = [
  {
    name: 'waits-for-people-alone',
    promise: 'one engine, all faces',
    breaks: 'shows a held conversation as if it went on',
    file: src('engine/telling.ts'),
    find: "(heldAt === null ? statuses[status] : 'waiting')",
    replace: '(heldAt === null ? statuses[status] : statuses[status === "waiting" ? "running" : status])',
    caughtBy: statuses,
  },
  {
    name: 'task-of-undone-succeeds',
    promise: 'one engine, all faces',
    breaks: 'tells the Orchestrator that a run which failed and was undone has succeeded',
    file: dialect('orchestrator/mapping/task.ts'),
    find: "compensated: 'FAILURE',",
    replace: "compensated: 'SUCCESS',",
    caughtBy: statuses,
  },
  {
    name: 'retry-counts-as-failed',
    promise: 'one engine, all faces',
    breaks: 'tells PySpur that a step which will be tried again has failed',
    file: dialect('pyspur/mapping/run.ts'),
    find: "retrying: 'RUNNING',",
    replace: "retrying: 'FAILED',",
    caughtBy: steps,
  },
  {
    name: 'begins-unseen',
    promise: 'C5',
    breaks: 'does not tell over the socket of the Orchestrator that a run has begun',
    file: dialect('orchestrator/stream.ts'),
    find: "    case 'run.started':\n      return {",
    replace: "    case 'run.started':\n      return Date.now() > 0 ? null : {",
    caughtBy: pairs,
  },
  {
    name: 'resumes-unseen',
    promise: 'C5',
    breaks: 'does not tell subscribers of Medusa that a run goes on once somebody has answered',
    file: dialect('medusa/messages.ts'),
    find: "return [...resumed, told('onStepSuccess', { response: step.output })]",
    replace: "return [told('onStepSuccess', { response: step.output })]",
    caughtBy: pairs,
  },
  {
    name: 'skips-an-event',
    promise: 'C5',
    breaks: 'leaves an event out of every page that a stream gives, and of no list',
    file: src('events/feed.ts'),
    find: 'if (sifted.events.length > 0) yield sifted.events\n',
    replace: 'if (sifted.events.length > 0) yield sifted.events.slice(Math.min(1, sifted.events.length - 1))\n',
    caughtBy: pairs,
  },
  {
    name: 'one-socket-less',
    promise: 'C5',
    breaks: 'tells over a plain WebSocket one event less than on all other transports',
    file: src('http/stream-socket.ts'),
    find: 'const piece = piecesOf(batch)\n',
    replace: "const piece = piecesOf(batch.filter((item) => item.type !== 'pause.decided'))\n",
    caughtBy: pairs,
  },
  {
    name: 'decline-told-as-stop',
    promise: 'one engine, all faces',
    breaks: 'tells in a conversation that a round was stopped, when somebody declined it',
    file: src('engine/telling.ts'),
    find: "run.reason?.code === 'pause_declined' ?",
    replace: "run.reason?.code === 'pause_expired' ?",
    caughtBy: { file: 'test/proof/pairs.test.ts', test: 'a run that does not complete is told alike by everyone who watches' },
  },
  {
    name: 'answer-to-an-approval',
    promise: 'decisions',
    breaks: 'takes what is said in a conversation for an approval',
    file: src('store/rows/runs.ts'),
    find: " and pauses.kind = 'question'\n",
    replace: '\n',
    caughtBy: story,
  },
  {
    name: 'end-told-late',
    promise: 'one engine, all faces',
    breaks: 'leaves who waits for the end of a round unheard for two seconds, when they came while its worker settled what follows',
    file: src('engine/holder.ts'),
    find: '      this.parts.note(this.state)\n    }\n    this.abandon()',
    replace: '    }\n    this.abandon()',
    caughtBy: { file: 'packages/server/test/engine/worker.test.ts', test: 'who begins to wait for a run that has ended' },
  },
  {
    name: 'viewers-converse',
    promise: 'C7',
    breaks: 'lets who may only read begin rounds of conversations',
    file: src('access/policy.ts'),
    find: "'sessions.use': { least: 'operator',",
    replace: "'sessions.use': { least: 'viewer',",
    caughtBy: { file: 'test/proof/story.test.ts', test: 'refuses what is not there, not allowed, and has no form' },
  },
]
