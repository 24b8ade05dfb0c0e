import type { RunStatus } from '@sluice/schema'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

/**
 * What a server counts, for Prometheus. Each app has its own; docs/operations.md lists them all, and a test holds it to that.
 *
 * M1. The values of a label are few and known: route templates, states, types of the catalogue. Never ids, paths or names
 *     that a caller makes up.
 */
export interface Metrics {
  runStarted(): void
  runEnded(status: RunStatus): void
  stepMoved(type: string, outcome: StepOutcome): void
  /** One attempt at work, in seconds. */
  attempted(type: string, seconds: number): void
  /** A request that was answered, or whose client went. A stream's length is no duration of an answer. */
  answered(request: { method: string; route: string; status: number; seconds: number | null }): void
  streamOpened(transport: StreamTransport): void
  streamClosed(transport: StreamTransport): void
  /** Read so slowly that it was cut off. */
  readerDropped(transport: StreamTransport): void
  committed(changes: number, seconds: number): void
  called(outcome: string, seconds: number): void
  /** What became of an item: it was brought to a step that waited, or started a run; a start failed, or failed for good. */
  queueItem(outcome: QueueOutcome): void
  /** What became of a moment of a schedule; of one that started a run, how late that was. */
  scheduled(outcome: ScheduleOutcome, lateSeconds?: number): void
  exported(spans: number, outcome: 'sent' | 'failed'): void
  /** Values that are asked for when somebody looks. */
  watch(values: Partial<Watched>): void
  readonly contentType: string
  text(): Promise<string>
  /** Of everything that is shown. */
  names(): Promise<{ name: string; type: string; labels: readonly string[] }[]>
}

export type StepOutcome = 'completed' | 'failed' | 'retrying' | 'lost' | 'skipped' | 'cancelled'
export type QueueOutcome = 'delivered' | 'started' | 'failed' | 'dead'
/** `retried`: its start was refused, and is tried again. */
export type ScheduleOutcome = 'started' | 'missed' | 'overlapping' | 'retried' | 'refused'
export type StreamTransport = 'sse' | 'websocket'

export interface Watched {
  /** Whether a type is of the catalogue. Every other one counts as `other`. */
  isNodeType(type: string): boolean
  jobsHeld(): number
  connections(): { busy: number; idle: number; waiting: number }
}

const fast = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const slow = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600]
const late = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 600, 3600]
const sizes = [1, 2, 4, 8, 16, 32, 64, 128, 256]
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

export function createMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) => new Counter({ name, help, labelNames, registers })
  const histogram = <L extends string>(name: string, help: string, labelNames: L[], buckets: number[]) => new Histogram({ name, help, labelNames, buckets, registers })

  const runsStarted = counter('sluice_runs_started_total', 'Runs that were started, children included and trials not', [])
  const runsEnded = counter('sluice_runs_ended_total', 'Runs that came to their end, by status', ['status'])
  const steps = counter('sluice_steps_total', 'Steps that came to an outcome; retrying: an attempt failed and another one follows; lost: its worker was', ['type', 'outcome'])
  const attempts = histogram('sluice_step_duration_seconds', 'One attempt of a step that works', ['type'], slow)
  const requests = counter('sluice_http_requests_total', 'Requests, by route template and status', ['method', 'route', 'status'])
  const durations = histogram('sluice_http_request_duration_seconds', 'From the head of a request to the end of its reply; streams are left out', ['method', 'route'], fast)
  const streams = new Gauge({ name: 'sluice_streams_open', help: 'Streams of events and sockets that are open', labelNames: ['transport'], registers })
  const dropped = counter('sluice_readers_dropped_total', 'Readers of streams, answers and sockets that were cut off, for they read too slowly', ['transport'])
  const batches = histogram('sluice_commit_batch_size', 'Changes of runs that went into one group commit', [], sizes)
  const commits = histogram('sluice_commit_duration_seconds', 'One group commit, until it is durable', [], fast)
  const calls = counter('sluice_outgoing_requests_total', 'Calls of steps to services outside, by class of status or by what went wrong', ['outcome'])
  const callDurations = histogram('sluice_outgoing_request_duration_seconds', 'One such call, redirects included', [], slow)
  const items = counter('sluice_queue_items_total', 'Items of queues that were brought to a step or started a run, and starts that failed, the last one as dead', ['outcome'])
  const moments = counter(
    'sluice_schedule_moments_total',
    'Moments of schedules that started a run, were missed, had another run live, or were refused; retried: a start was refused and is tried again',
    ['outcome'],
  )
  const lateness = histogram('sluice_schedule_lateness_seconds', 'From a moment of a schedule to the start of its run', [], late)
  const spans = counter('sluice_spans_exported_total', 'Spans handed to the OTLP endpoint', ['outcome'])

  const watched: Partial<Watched> = {}
  new Gauge({
    name: 'sluice_jobs_held',
    help: 'Runs whose claim this worker holds',
    registers,
    collect() {
      this.set(watched.jobsHeld?.() ?? 0)
    },
  })
  new Gauge({
    name: 'sluice_database_connections',
    help: 'Connections of the pool, by state',
    labelNames: ['state'],
    registers,
    collect() {
      const { busy, idle } = watched.connections?.() ?? { busy: 0, idle: 0 }
      this.set({ state: 'busy' }, busy)
      this.set({ state: 'idle' }, idle)
    },
  })
  new Gauge({
    name: 'sluice_database_waiting',
    help: 'Statements that wait for a connection of the pool',
    registers,
    collect() {
      this.set(watched.connections?.().waiting ?? 0)
    },
  })

  const typeOf = (type: string): string => (watched.isNodeType?.(type) ? type : 'other')
  for (const transport of ['sse', 'websocket'] satisfies StreamTransport[]) {
    streams.set({ transport }, 0)
    dropped.inc({ transport }, 0)
  }

  // They watch the process with timers and observers of their own: begun when somebody first looks.
  let looked = false
  const look = (): void => {
    if (!looked) collectDefaultMetrics({ register: registry })
    looked = true
  }

  return {
    runStarted: () => runsStarted.inc(),
    runEnded: (status) => runsEnded.inc({ status }),
    stepMoved: (type, outcome) => steps.inc({ type: typeOf(type), outcome }),
    attempted: (type, seconds) => attempts.observe({ type: typeOf(type) }, seconds),
    answered({ method: asked, route, status, seconds }) {
      const method = methods.has(asked) ? asked : 'other'
      requests.inc({ method, route, status })
      if (seconds !== null) durations.observe({ method, route }, seconds)
    },
    streamOpened: (transport) => streams.inc({ transport }),
    streamClosed: (transport) => streams.dec({ transport }),
    readerDropped: (transport) => dropped.inc({ transport }),
    committed(changes, seconds) {
      batches.observe(changes)
      commits.observe(seconds)
    },
    called(outcome, seconds) {
      calls.inc({ outcome })
      callDurations.observe(seconds)
    },
    queueItem: (outcome) => items.inc({ outcome }),
    scheduled(outcome, lateSeconds) {
      moments.inc({ outcome })
      if (lateSeconds !== undefined) lateness.observe(lateSeconds)
    },
    exported: (count, outcome) => spans.inc({ outcome }, count),
    watch: (values) => void Object.assign(watched, values),
    contentType: registry.contentType,
    text() {
      look()
      return registry.metrics()
    },
    async names() {
      look()
      const all = await registry.getMetricsAsJSON()
      return all.map(({ name, type }) => ({ name, type: String(type), labels: labelsOf(registry.getSingleMetric(name)) }))
    },
  }
}

const labelsOf = (metric: unknown): readonly string[] => (metric as { labelNames?: readonly string[] } | undefined)?.labelNames ?? []
