import { approval } from './approval/approval.ts'
import { collections } from './collections/collections.ts'
import { growth } from './growth/growth.ts'
import { idle } from './idle/idle.ts'
import { latency } from './latency/latency.ts'
import type { Measurement } from './measurement.ts'
import { medusa } from './medusa/medusa.ts'
import { profile } from './profile/profile.ts'
import { reads } from './reads/reads.ts'
import { scale } from './scale/scale.ts'
import { starts } from './starts/starts.ts'
import { subscribers } from './subscribers/subscribers.ts'
import { throughput } from './throughput/throughput.ts'

/** In the order in which they are done; each has its place in docs/performance.md. */
export const measurements = { throughput, profile, approval, reads, starts, collections, latency, medusa, subscribers, scale, idle, growth } satisfies Record<string, Measurement>

export type MeasurementName = keyof typeof measurements

export const measurementNames = Object.keys(measurements) as MeasurementName[]
