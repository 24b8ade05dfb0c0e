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

/** What is refused to owners too, in words of its own. */
const refused = [
  { at: /"(label|user_id)":"@user"/, why: 'A person does not decide in the name of another' },
  { at: /"idempotency-key"/, why: 'The key was used with another request, of this workspace' },
  { at: /"run_id":"@pause"/, why: 'A pause is named in place of its run only where the run has several' },
]

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
  const tried = doors.filter(({ entry: { least, ends } }) => least !== 'public' && !ends).toSorted((one, other) => order(one) - order(other))
  const overRest = new Map(tried.filter(({ over }) => over === 'rest').map(({ id, sends }) => [id, new Set(sends)]))
  for (const door of tried)
    for (const sent of door.sends) {
      if (kindsIn(JSON.stringify(sent)).length === 0 || (door.over === 'trpc' && overRest.get(door.id)?.has(sent))) continue
      // Whoever has to wait for the answer was let in.
      const attempt = () =>
        ask(here.server.url, door.request(filled(sent, (kind) => world.things[kind]) as JsonObject), bearer(world.token), 2_500).catch(() => ({ status: 202, text: 'still waits' }))
      const fits = (status: number): boolean => ![400, 401, 403, 404].includes(status) && status < 500
      let answer = await attempt()
      if (!fits(answer.status) && isUsed && !refused.some(({ at }) => at.test(JSON.stringify(sent)))) {
        // Something before it took away what it names.
        await afresh()
        answer = await attempt()
      }
      isUsed ||= !door.reads
      if (!fits(answer.status) && !refused.some(({ at }) => at.test(JSON.stringify(sent))))
        problems.push(`${door.name} ${JSON.stringify(sent)}: ${answer.status} ${answer.text.slice(0, 300)}`)
    }
  expect(problems.join('\n')).toBe('')
})
