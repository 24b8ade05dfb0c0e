import { expect, test } from 'vitest'
import { createTraces, incomingTraceparent, placeOf, untraced, type Exporter, type Place, type Span } from '../../src/telemetry/traces.ts'

const trace = '0af7651916cd43dd8448eb211c80319c'
const incoming = `00-${trace}-b7ad6b7169203331-01`

function collecting(ratio: (traceId: string) => boolean = () => true) {
  const sent: [Span, Place, Place | null][] = []
  const exporter: Exporter = { samples: ratio, send: (...each) => void sent.push(each), flush: async () => {}, close: async () => {} }
  return { sent, traces: createTraces(exporter) }
}

test.for([
  incoming,
  `00-${trace}-b7ad6b7169203331-00`,
  // Of a version to come: what is known of it is read.
  `01-${trace}-b7ad6b7169203331-03-more`,
])('%s is read', (header) => {
  expect(placeOf(header)).toEqual({ traceId: trace, spanId: 'b7ad6b7169203331', sampled: header[53] !== '-' && Number(header.slice(53, 55)) % 2 === 1 })
})

test.for([
  '',
  'x',
  `00-${trace}-b7ad6b7169203331`,
  `00-${trace}-b7ad6b7169203331-01-more`,
  `ff-${trace}-b7ad6b7169203331-01`,
  `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
  `00-${trace}-${'0'.repeat(16)}-01`,
  `00-${trace.toUpperCase()}-b7ad6b7169203331-01`,
  `${incoming},${incoming}`,
])('%j says nothing, and is not handed on', (header) => {
  expect(incomingTraceparent(header)).toBeNull()
})

test('a place below another is in its trace, with its decision; a named one is the same in every process', () => {
  const [one, other] = [collecting().traces, collecting().traces]
  const below = one.below(incoming)!
  expect(below).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`))
  expect(one.below(incoming)).not.toBe(below)
  expect(one.named(incoming, 'run')).toBe(other.named(incoming, 'run'))
  expect(one.named(incoming, 'run')).not.toBe(one.named(incoming, 'run2'))
  expect(one.named(null, 'run')).toBe(other.named(null, 'run'))
  expect(placeOf(one.below(`00-${trace}-b7ad6b7169203331-00`))!.sampled).toBe(false)
})

test('what is not sampled is told to nobody; what begins here is sampled as the exporter says', () => {
  const { sent, traces } = collecting(() => false)
  const span = { name: 'x', kind: 'internal', parent: null, startedAt: 1, endedAt: 2, attributes: {} } as const
  traces.tell({ ...span, at: traces.below(null) })
  traces.tell({ ...span, at: null })
  expect(sent).toEqual([])
  traces.tell({ ...span, at: traces.below(incoming), parent: incoming })
  expect(sent.map(([{ name }, , parent]) => [name, parent?.spanId])).toEqual([['x', 'b7ad6b7169203331']])
})

test('with nobody to tell, a trace is handed on as it came, and none is begun', () => {
  expect([untraced.below(incoming), untraced.named(incoming, 'run'), untraced.below(null), untraced.named(null, 'run')]).toEqual([incoming, incoming, null, null])
})
