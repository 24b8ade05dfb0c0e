export type Role = 'all' | 'api' | 'worker'

/** Servers on one PostgreSQL. Runs are asked for at all that serve, in turn; what is heard is heard at the last of these. */
export const layouts = {
  'one-server': ['all'],
  'two-servers': ['all', 'all'],
  'three-servers': ['all', 'all', 'all'],
  'api-and-worker': ['api', 'worker'],
  'two-api-and-worker': ['api', 'worker', 'api'],
} as const satisfies Record<string, readonly Role[]>

export type Layout = keyof typeof layouts

export const abouts: Readonly<Record<Layout, string>> = {
  'one-server': 'one of the role `all`, as `npm start` runs it',
  'two-servers': 'two of the role `all`; heard at the other one than did the run',
  'three-servers': 'three of the role `all`; heard at another one than did the run',
  'api-and-worker': 'one serves and one works; heard at the one that serves, which does no run',
  'two-api-and-worker': 'two serve and one works; heard at the one that neither was asked for the run nor does it',
}
