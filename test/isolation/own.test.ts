import type { JsonObject } from '@sluice/schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask, bearer, doors } from './faces.ts'
import { type Site, site } from './site.ts'
import { filled, kindsIn, type World } from './world.ts'

/** What the matrix sends is to the point: whoever owns what is named is let do it. An answer that everybody gets would prove nothing. */

let here: Site
beforeAll(async () => {
  here = await site()
})
afterAll(() => here[Symbol.asyncDispose]())

test('whoever owns what an operation names is answered otherwise than a stranger', { timeout: 300_000 }, async () => {
  const problems: string[] = []
  let worlds = 0
  let isUsed = false
  let world: World = await here.world(`own-${++worlds}`)
  const afresh = async (): Promise<void> => {
    world = await here.world(`own-${++worlds}`)
    isUsed = false
  }
  // One way of each: what is behind it is the same. What takes something away comes last.
  const deletes = (method: string, id: string): boolean => method === 'DELETE' || /delete|remove|reset|revoke/i.test(id)
  const order = ({ reads, operation, id }: (typeof doors)[number]): number => (reads ? 0 : id === 'workspaces.delete' ? 3 : deletes(operation?.method ?? '', id) ? 2 : 1)
  const tried = doors
    .filter((door) => door.entry.least !== 'public' && !door.entry.ends && (door.over === 'rest' || door.operation === null))
    .toSorted((one, other) => order(one) - order(other))
  for (const door of tried)
    for (const sent of door.entry.sends) {
      if (kindsIn(JSON.stringify(sent)).length === 0) continue
      const attempt = () => ask(here.server.url, door.request(filled(sent, (kind) => world.things[kind]) as JsonObject), bearer(world.token))
      const fits = (status: number): boolean => ![400, 401, 403, 404].includes(status) && status < 500
      let answer = await attempt()
      if (!fits(answer.status) && isUsed) {
        // Something before it took away what it names.
        await afresh()
        answer = await attempt()
      }
      isUsed ||= !door.reads
      if (!fits(answer.status)) problems.push(`${door.name} ${JSON.stringify(sent)}: ${answer.status} ${answer.text.slice(0, 300)}`)
    }
  expect(problems.join('\n')).toBe('')
  console.log('worlds', worlds)
})
