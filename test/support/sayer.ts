import type { Definition } from '@sluice/schema'
import { createApp } from '../../packages/server/src/app.ts'
import { loadConfig } from '../../packages/server/src/config.ts'
import { createLog } from '../../packages/server/src/telemetry.ts'
import { sayer } from '../../packages/server/test/events/sayer.ts'
import { flow } from './flow.ts'

/** A chatbot whose steps say these texts one after another, and whose answer is all of them. */
export const saying = (...texts: { pieces: string[]; everyMs?: number; fails?: number; hang?: boolean }[]): Definition => {
  const steps = texts.map(
    (config, at) => [`say${at}`, { type: 'sayer', config, ...(config.fails && { settings: { retry: { maxAttempts: config.fails + 1, backoffMs: 300 } } }) }] as const,
  )
  const answer = { type: 'template', config: { text: texts.map(({ pieces }) => pieces.join('')).join('\n\n') } }
  return { ...flow({ in: 'input', ...Object.fromEntries(steps), answer }, [['in', ...steps.map(([id]) => id), 'answer'].join(' > ')]), kind: 'chatbot' }
}

// As a program of its own: a server with the node, its settings from the environment.
if (process.argv[1] === import.meta.filename) {
  const config = loadConfig(process.env)
  const log = createLog({ level: 'error', write: (line) => process.stderr.write(line) })
  await createApp({ ...config, secret: config.secret! }, { databaseUrl: process.env['SLUICE_DATABASE_URL']!, log, nodes: [sayer] })
  process.stdout.write('It serves\n')
}
