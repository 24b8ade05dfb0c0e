import { audit } from './audit.ts'
import { auth } from './auth.ts'
import { collections } from './collections.ts'
import { connections } from './connections.ts'
import { events } from './events.ts'
import { files } from './files.ts'
import { keys } from './keys.ts'
import { members } from './members.ts'
import { model } from './model.ts'
import { nodeFiles } from './node-files.ts'
import { nodeTypes } from './node-types.ts'
import { pauses } from './pauses.ts'
import { queues } from './queues.ts'
import { records } from './records.ts'
import { schedules } from './schedules.ts'
import { runs } from './runs.ts'
import { secrets } from './secrets.ts'
import { sessions } from './sessions.ts'
import { signals } from './signals.ts'
import { steps } from './steps.ts'
import { router } from './trpc.ts'
import { users } from './users.ts'
import { webhooks } from './webhooks.ts'
import { workflows } from './workflows.ts'
import { workspaces } from './workspaces.ts'

/** The doors of the core, one router a noun. */
export const appRouter = router({
  workflows,
  nodeTypes,
  runs,
  steps,
  pauses,
  signals,
  queues,
  schedules,
  webhooks,
  sessions,
  events,
  collections,
  records,
  connections,
  auth,
  keys,
  secrets,
  model,
  workspaces,
  members,
  users,
  audit,
  files,
  nodeFiles,
})

export type AppRouter = typeof appRouter
