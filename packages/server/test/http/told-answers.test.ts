import { connect } from 'node:net'
import { setImmediate as others } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { openai } from '../../src/dialects/openai/index.ts'
import { ids } from '../rpc/toys.ts'
import { serve, until } from './serve.ts'

const piece = 'x'.repeat(64 * 1024)

test('whoever reads nothing of an answer that is told while it is made is cut off when too much waits, however much time there is', { timeout: 60_000 }, async () => {
  // Longer than this test.
  const served = await serve({ dialects: [openai], stream: { stallMs: 600_000 } })
  const said = { pieces: 0, isOver: false }
  served.parts.sessions.ask = async (_actor, _input, { tell, signal }) => {
    tell!({ is: 'begun', sessionId: ids.session, runId: ids.run })
    while (!signal.aborted) {
      tell!({ is: 'text', text: piece })
      said.pieces++
      await others()
    }
    said.isOver = true
    throw new Error('Nobody waits for it')
  }
  const body = JSON.stringify({ model: 'anybody', stream: true, messages: [{ role: 'user', content: 'Speak' }] })
  const socket = connect({ port: Number(new URL(served.url).port), host: '127.0.0.1' })
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  socket.pause()
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer owner-token\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  await until(() => said.isOver, 20_000)
  // What the network takes, and a megabyte of ours.
  expect(said.pieces * piece.length).toBeLessThan(32 * 1024 * 1024)
  expect((await served.ask('GET', '/metrics')).text).toContain('sluice_readers_dropped_total{transport="sse"} 1\n')
})
