import * as published from '@medusajs/js-sdk'

// Its declarations are read as those of a CommonJS module, whose default is all of its exports; Node loads a module of its own.
const Medusa = published.default as unknown as typeof published.default.default
type Medusa = InstanceType<typeof Medusa>

export const { FetchError } = published

/** The published SDK, with a token in memory once it has logged in, or with a key. */
export const medusaSdk = (baseUrl: string, config: { apiKey?: string } = {}): Medusa => new Medusa({ baseUrl, auth: { type: 'jwt', jwtTokenStorageMethod: 'memory' }, ...config })
