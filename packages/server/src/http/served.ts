import type { AnyTRPCRouter } from '@trpc/server'
import { type Dialect, dialectsRouter } from '../dialects/dialect.ts'
import { appRouter } from '../rpc/router.ts'
import { router } from '../rpc/trpc.ts'

/** All that `/trpc` serves: the doors of the core, and the rows of the dialects as `dialects.<name>.<row>`. */
export const servedRouter = (dialects: readonly Dialect[]): AnyTRPCRouter =>
  dialects.length === 0 ? appRouter : router({ ...appRouter._def.record, dialects: dialectsRouter(dialects) })
