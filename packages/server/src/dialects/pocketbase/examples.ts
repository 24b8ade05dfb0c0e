import type { JsonObject } from '@sluice/schema'

/** What the examples of the document show: one session, as it is made and told. */

export const address = { collection: 'workflow_sessions', id: 'd8q2k4x0w7m1z9a' }

export const created = {
  title: 'New Session',
  status: 'idle',
  currentStepId: 'topic-discovery',
  steps: [],
  context: {},
  user: 'b3n5v7c9x1k2j4h',
} as const satisfies JsonObject

export const record = {
  collectionId: 'pbc_3436149272',
  collectionName: 'workflow_sessions',
  context: {},
  created: '2026-01-31 12:00:00.000Z',
  currentStepId: 'topic-discovery',
  id: 'd8q2k4x0w7m1z9a',
  status: 'idle',
  steps: [],
  title: 'New Session',
  updated: '2026-01-31 12:00:01.000Z',
  user: 'b3n5v7c9x1k2j4h',
} as const satisfies JsonObject

export const list = { items: [record], page: 1, perPage: 30, totalItems: 1, totalPages: 1 } as const satisfies JsonObject

export const collection = {
  id: 'pbc_3436149272',
  name: 'workflow_sessions',
  type: 'base',
  system: true,
  listRule: 'user = @request.auth.id',
  viewRule: 'user = @request.auth.id',
  createRule: 'user = @request.auth.id',
  updateRule: 'user = @request.auth.id',
  deleteRule: 'user = @request.auth.id',
  fields: [
    {
      id: 'text724990059',
      name: 'title',
      type: 'text',
      required: true,
      hidden: false,
      system: false,
      presentable: false,
      min: 0,
      max: 5000,
      pattern: '',
      autogeneratePattern: '',
      primaryKey: false,
    },
  ],
  indexes: [],
  created: '',
  updated: '',
} as const satisfies JsonObject

export const user = {
  avatar: '',
  collectionId: '_pb_users_auth_',
  collectionName: 'users',
  created: '2026-01-31 12:00:00.000Z',
  email: 'ada@example.com',
  emailVisibility: false,
  id: 'b3n5v7c9x1k2j4h',
  name: 'Ada',
  updated: '2026-01-31 12:00:00.000Z',
  verified: true,
} as const satisfies JsonObject

export const token = 'eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl'
