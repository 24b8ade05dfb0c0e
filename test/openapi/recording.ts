import type { Json, JsonObject } from '@sluice/schema'

/** What differs from one telling to the next, by its key: the same words stand for it in every recording. */
const stand: Readonly<Record<string, Json>> = {
  token: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwMDAwMDAwMDAwMDAwMDEifQ.c2lnbmVk',
  refreshToken: 'rt_c2hvd24gb25jZSwgdXNlZCBvbmNl',
  ticket: 'tk_b25lIHN0cmVhbSwgb25jZQ',
  secret: 'sk_c2hvd24gdGhpcyBvbmNl',
  prefix: 'sk_c2hvd',
  address: '/v1/hooks/00example000040/c2hvd24gdGhpcyBvbmNl',
  durationMs: 12,
}

const requestId = '5f0c6c1e-8f0f-4f7b-9d33-0a4f2ad9f1c7'
const time = '2026-01-31T12:00:00.000Z'

/** Answers made comparable: ids are counted in the order they are met, times are one time, what is random has a stand-in. */
export class Recording {
  readonly #ids = new Map<string, string>()

  /** Of a long list only so many items. */
  plain(value: Json, show = 100): Json {
    const cut = isObject(value) && Array.isArray(value['items']) ? { ...value, items: value['items'].slice(0, show) } : value
    return this.#plain(cut, '')
  }

  #plain(value: Json, key: string): Json {
    if (Array.isArray(value)) return value.map((each) => this.#plain(each, key))
    if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, this.#plain(each, name)]))
    if (value !== null && Object.hasOwn(stand, key)) return stand[key]!
    if (typeof value !== 'string') return value
    if (/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value)) return time
    if (/^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(value)) return requestId
    return value.replaceAll(/\b0[a-z0-9]{14}\b/g, (id) => this.#id(id))
  }

  #id(id: string): string {
    const known = this.#ids.get(id) ?? `00example${String(this.#ids.size + 1).padStart(6, '0')}`
    this.#ids.set(id, known)
    return known
  }
}

const isObject = (value: Json): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)
