import type { Dialect } from '../dialect.ts'
import { authContextOf } from './mapping/auth.ts'

/** How Medusa's clients show who asks. Keys come by Basic in three forms: `<key>:` or `<key>` in base64, or the key as it is. */
export const credentials = {
  credentials: {
    api_token: { type: 'http', scheme: 'basic', description: 'An API key as user name, without a password; or the key as it is behind `Basic `' },
    cookie_auth: { type: 'apiKey', in: 'cookie', name: 'connect.sid', description: 'The session of a browser, taken from pages of allowed origins alone' },
    jwt_token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'The token of a login; an API key is refused here' },
  },
  cookie: 'connect.sid',
  refuses: { keyAsBearer: 'An API key was sent as a bearer token: send it by Basic authentication (Authorization: Basic <secret-api-key>)' },
  // Of @medusajs/js-sdk: the first with every request, the second from stores.
  clientHeaders: ['x-medusa-locale', 'x-publishable-api-key'],
  claims: ({ userId }) => ({ ...authContextOf(userId), mfa_enabled: false }),
} as const satisfies Partial<Dialect>
