import { createSecretKey, randomBytes } from 'node:crypto'
import { parseOptions } from '@node-rs/argon2'
import { Fault } from '@sluice/schema'
import fc from 'fast-check'
import { SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { createFresh } from '../../src/access/fresh.ts'
import { createGate } from '../../src/access/gate.ts'
import { deriveKeys } from '../../src/access/keyring.ts'
import { checkNewPassword, createPasswords, normalEmail } from '../../src/access/passwords.ts'
import { open, seal } from '../../src/access/secrets.ts'
import { createTokens } from '../../src/access/tokens.ts'

const code = async (work: Promise<unknown>) => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return error instanceof Fault ? error.code : error
}

describe('keys of the server', () => {
  test('tokens and secrets have keys of their own, the same after every start', () => {
    const [one, again, other] = [deriveKeys('a secret of the server'), deriveKeys('a secret of the server'), deriveKeys('another secret, as long')]
    expect(one.tokens.equals(again.tokens) && one.secrets.equals(again.secrets)).toBe(true)
    expect(one.tokens.equals(one.secrets)).toBe(false)
    expect(one.tokens.equals(other.tokens) || one.secrets.equals(other.secrets)).toBe(false)
  })

  test('a secret that can be guessed is refused', () => expect(() => deriveKeys('secret')).toThrow(/too short/))
})

describe('the gate', () => {
  test('lets so many in at once, keeps so many in line, turns the rest away', async () => {
    const gate = createGate(2, 3)
    let inside = 0
    let most = 0
    const leave: (() => void)[] = []
    const visit = () =>
      gate(async () => {
        most = Math.max(most, ++inside)
        await new Promise<void>((done) => leave.push(done))
        inside--
      })
    const visits = Array.from({ length: 5 }, visit)
    expect(await code(visit())).toBe('rate_limited')
    for (let left = 0; left < 5; left++) {
      leave[left]!()
      await visits[left]
      await new Promise((soon) => setImmediate(soon))
    }
    expect(most).toBe(2)
    expect(await gate(async () => 'free again')).toBe('free again')
  })

  test('a visit that fails gives its place back', async () => {
    const gate = createGate(1, 0)
    await expect(gate(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
    expect(await gate(async () => 1)).toBe(1)
  })
})

describe('fresh values', () => {
  const setup = (size = 10) => {
    const clock = { now: 0 }
    const loads: string[] = []
    const fresh = createFresh<string | undefined>({ ttl: 2_000, size, now: () => clock.now })
    const load = (key: string, value: string | undefined) =>
      fresh.get(key, async () => {
        loads.push(key)
        return value
      })
    const get = (key: string) => load(key, key)
    return { clock, loads, fresh, load, get }
  }

  test('are loaded once for all who ask at once, and again after their time', async () => {
    const { clock, loads, get } = setup()
    await Promise.all([get('a'), get('a'), get('a')])
    clock.now = 1_999
    await get('a')
    expect(loads).toEqual(['a'])
    clock.now = 2_000
    await get('a')
    expect(loads).toEqual(['a', 'a'])
  })

  test('do not live longer because they are asked for, nor when the clock is set back', async () => {
    const { clock, loads, get } = setup()
    for (clock.now = 0; clock.now <= 4_000; clock.now += 500) await get('a')
    expect(loads).toHaveLength(3)
    clock.now = -1
    await get('a')
    expect(loads).toHaveLength(4)
  })

  test('are never more than their size; the least recently used goes', async () => {
    const { loads, get } = setup(2)
    for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) await get(key)
    expect(loads).toEqual(['a', 'b', 'c', 'b'])
  })

  test('failures and absences are not kept', async () => {
    const { loads, fresh, load } = setup()
    await expect(fresh.get('a', () => Promise.reject(new Error('away')))).rejects.toThrow('away')
    expect(await fresh.get('a', async () => 'back')).toBe('back')
    await load('b', undefined)
    expect(await load('b', 'there')).toBe('there')
    expect(await load('b', 'not asked')).toBe('there')
    expect(loads).toEqual(['b', 'b'])
  })

  test('what was forgotten while it was loaded is not kept', async () => {
    const { fresh, load } = setup()
    let finish = (_: string) => {}
    const old = fresh.get('user 1', () => new Promise<string>((done) => (finish = done)))
    fresh.forgetPrefix('user ')
    finish('old')
    expect(await old).toBe('old')
    expect(await load('user 1', 'new')).toBe('new')
  })
})

describe('passwords', () => {
  test('are hashed with argon2id at the cost that was chosen, and known again', async () => {
    const passwords = createPasswords()
    const hashed = await passwords.hash('correct horse')
    expect(hashed).toMatch(/^\$argon2id\$/)
    expect(parseOptions(hashed)).toMatchObject({ memoryCost: 19_456, timeCost: 2, parallelism: 1 })
    expect(await passwords.verify(hashed, 'correct horse')).toBe(true)
    expect(await passwords.verify(hashed, 'correct horsf')).toBe(false)
    expect(await passwords.verify(null, 'correct horse')).toBe(false)
  })

  test('nobody waits in a line without end', async () => {
    const passwords = createPasswords(1, 1)
    const answers = await Promise.all(Array.from({ length: 4 }, () => code(passwords.verify(null, 'x'))))
    expect(answers.filter((answer) => answer === 'rate_limited')).toHaveLength(2)
  })

  test('short ones are refused, and the fault names the field but not the password', () => {
    const refused = ((): Fault | undefined => {
      try {
        checkNewPassword('hunter2', 'next')
      } catch (error) {
        return error as Fault
      }
      return undefined
    })()
    expect(refused?.code).toBe('input_invalid')
    expect(refused?.issues[0]?.path).toEqual(['next'])
    expect(JSON.stringify([refused, refused?.message, refused?.issues])).not.toContain('hunter2')
  })
})

describe('emails', () => {
  test('have one spelling', () => expect([' Ada@Example.COM ', 'ada@example.com'].map(normalEmail)).toEqual(['ada@example.com', 'ada@example.com']))
  test.each(['', 'ada', '@', 'a b@c', 'a@b\0', `${'a'.repeat(400)}@b`, 'a@b@c'])('%j is none', (text) => expect(normalEmail(text)).toBeNull())
})

describe('tokens', () => {
  const key = createSecretKey(randomBytes(32))
  const clock = { now: Date.parse('2026-01-01T00:00:00.500Z') }
  const tokens = createTokens(key, () => clock.now)
  const claims = { userId: 'u1', workspaceId: 'w1', epoch: 3, family: 'f', provenAt: Date.parse('2025-12-31T00:00:00.000Z') }
  const bad = (token: string) => code(tokens.verify(token))
  const seconds = () => Math.floor(clock.now / 1000)
  const make = (change: (token: SignJWT) => SignJWT = (token) => token, alg = 'HS256', by: Parameters<SignJWT['sign']>[0] = key) =>
    change(
      new SignJWT({ wid: 'w1', epoch: 3, family: 'f', auth_time: seconds() })
        .setProtectedHeader({ alg })
        .setSubject('u1')
        .setIssuer('sluice')
        .setAudience('sluice')
        .setJti('j')
        .setIssuedAt(seconds())
        .setExpirationTime(seconds() + 60),
    ).sign(by)

  test('say who, where and since which epoch, for a day', async () => {
    const token = await tokens.sign(claims)
    expect(await tokens.verify(token)).toEqual({ ...claims, expiresAt: Date.parse('2026-01-02T00:00:00.000Z') })
    expect(JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())).not.toHaveProperty('role')
  })

  test('expire when it is said, and say what other APIs tell, but never in the place of what we read', async () => {
    const more = createTokens(
      key,
      () => clock.now,
      ({ userId }) => ({ actor_id: userId, actor_type: 'user', sub: 'u2', wid: 'w2', epoch: 4, auth_time: 9e9, exp: 9e9, aud: 'other' }),
    )
    const expiresAt = clock.now + 36_000_000
    const token = await more.sign({ ...claims, expiresAt })
    expect(await tokens.verify(token)).toEqual({ ...claims, expiresAt: Math.floor(expiresAt / 1000) * 1000 })
    expect(JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())).toMatchObject({ actor_id: 'u1', actor_type: 'user' })
  })

  test('two of the same second differ', async () => expect(await tokens.sign(claims)).not.toBe(await tokens.sign(claims)))

  test('end after a day, the ones just verified too', async () => {
    const token = await tokens.sign(claims)
    clock.now += 24 * 3_600_000 - 1_000
    await tokens.verify(token)
    clock.now += 1_000
    expect(await bad(token)).toBe('credential_invalid')
  })

  test('what is made otherwise is refused', async () => {
    expect(await bad(await make())).toBeUndefined()
    expect(await bad(await make((token) => token.setIssuer('other')))).toBe('credential_invalid')
    expect(await bad(await make((token) => token.setAudience('other')))).toBe('credential_invalid')
    expect(await bad(await make((token) => token.setNotBefore(seconds() + 600)))).toBe('credential_invalid')
    for (const alg of ['HS384', 'HS512']) expect(await bad(await make(undefined, alg))).toBe('credential_invalid')
    expect(await bad(await make(undefined, 'HS256', createSecretKey(randomBytes(32))))).toBe('credential_invalid')
  })

  test('an unsigned one, an endless one and a torn one are refused', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const body = part({ sub: 'u1', wid: 'w1', epoch: 3, family: 'f', auth_time: 1, iss: 'sluice', aud: 'sluice', jti: 'j', exp: 4_000_000_000 })
    const good = await tokens.sign(claims)
    for (const token of [`${part({ alg: 'none' })}.${body}.`, '', 'a.b.c', 'x'.repeat(1_000_000), good.slice(0, -2), `${good}A`, good.replace('.', '..')])
      expect(await bad(token)).toBe('credential_invalid')
    const endless = await new SignJWT({ wid: 'w1', epoch: 3, family: 'f', auth_time: seconds() })
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject('u1')
      .setIssuer('sluice')
      .setAudience('sluice')
      .setJti('j')
      .sign(key)
    expect(await bad(endless)).toBe('credential_invalid')
  })
})

describe('secrets at rest', () => {
  const key = createSecretKey(randomBytes(32))

  test('whatever is sealed opens in its place, under its key', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (value) => open(key, 'w1', 'name', seal(key, 'w1', 'name', value)) === value))
  })

  test('the same value never looks the same', () => expect(seal(key, 'w', 'n', 'value').equals(seal(key, 'w', 'n', 'value'))).toBe(false))

  test('nowhere else, under no other key, and not after a change of any byte', () => {
    const sealed = seal(key, 'w1', 'name', 'value')
    const refused = (work: () => string) => expect(work).toThrow(/cannot be read/)
    refused(() => open(key, 'w2', 'name', sealed))
    refused(() => open(key, 'w1', 'other', sealed))
    refused(() => open(createSecretKey(randomBytes(32)), 'w1', 'name', sealed))
    for (let place = 0; place < sealed.length; place++) {
      const changed = Buffer.from(sealed)
      changed[place]! ^= 1
      refused(() => open(key, 'w1', 'name', changed))
    }
    for (const length of [0, 1, 13, 20, sealed.length - 1]) refused(() => open(key, 'w1', 'name', sealed.subarray(0, length)))
  })
})
