import { Fault, type JsonObject } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { excerptOf } from '../../../src/dialects/pocketbase/mapping/excerpt.ts'
import { pickFields } from '../../../src/dialects/pocketbase/mapping/fields.ts'

// As PocketBase's tools/picker/pick_test.go and excerpt_modifier_test.go have them.

const related = { id: '123', title: 'lorem', rel: { id: '456', title: 'rel_title', sub: { id: '789', title: 'sub_title' } } }
const lists: JsonObject = {
  a: 1,
  b: 2,
  c: 'test',
  anySlice: [{ A: [1, 2, 3], B: ['1'], C: 'test', D: { DA: 1, DB: 2 } }, { A: 'test' }],
  mapSlice: [
    { A: [1], C: 'test', D: [{ DA: 1 }] },
    { B: [1], D: [{ DA: 2 }, { DA: 3 }, { DB: 4 }] },
  ],
  fullMap: [{ A: [1] }, { D: [{ DA: 2 }] }],
}

describe('fields', () => {
  test.each<[JsonObject, string, JsonObject]>([
    [{ a: 1, b: 2, c: 'test' }, '', { a: 1, b: 2, c: 'test' }],
    [{ a: 1 }, 'missing', {}],
    [{ a: 1, b: 2, c: 'test' }, 'a,  c  ,missing', { a: 1, c: 'test' }],
    [related, 'id,rel.*', { id: '123', rel: related.rel }],
    [related, 'id,rel.*,rel.sub.id', { id: '123', rel: { id: '456', title: 'rel_title', sub: { id: '789' } } }],
    [{ id: '123', title: 'lorem', rel: { id: '456', title: 'rel_title' } }, '*,rel.id', { id: '123', title: 'lorem', rel: { id: '456' } }],
    [
      { id: '123', title: 'lorem', rel: { id: '456', title: '<p>rel_title</p>', sub: { id: '1' } } },
      '*:excerpt(2),rel.title:excerpt(3, true)',
      { id: '12', title: 'lo', rel: { title: 'rel...' } },
    ],
    [
      lists,
      'a, c, anySlice.A, mapSlice.C, mapSlice.D.DA, anySlice.D,fullMap',
      {
        a: 1,
        c: 'test',
        anySlice: [{ A: [1, 2, 3], D: { DA: 1, DB: 2 } }, { A: 'test' }],
        mapSlice: [{ C: 'test', D: [{ DA: 1 }] }, { D: [{ DA: 2 }, { DA: 3 }, {}] }],
        fullMap: [{ A: [1] }, { D: [{ DA: 2 }] }],
      },
    ],
  ])('of %j, %j is picked', (value, fields, picked) => expect(pickFields(fields)(value)).toEqual(picked))

  // A wrong modifier is refused, where upstream breaks off its answer (contract, D3).
  test.each(['*:excerpt', 'a:excerpt()', 'a:excerpt(12,false,x)', 'a:excerpt(x)', 'a:excerpt(0)', 'a:excerpt(-1)', 'a:upper(1)', Array(40).fill('a').join('.')])(
    '%j is refused',
    (fields) => expect(() => pickFields(fields)).toThrow(Fault),
  )
})

const html =
  ' <script>var a = 123;</script>   <p>Hello</p><div id="test_id">t   est<b>12\n\t3</b><span>456</span></div><span>word <b>7</b> 89<span>!<b>?</b><b> a </b><b>b </b>c</span>#<h1>title</h1>'
const plain = 'Hello t est12 3456 word 7 89!? a b c# title'

test.each([
  [2, false, html, 'He'],
  [plain.length, false, html, plain],
  [2, true, html, 'He...'],
  [plain.length, true, html, plain],
  [plain.length + 5, true, html, plain],
  [4, true, 'аб\nв ', 'аб в'],
  [3, true, 'аб\nв ', 'аб...'],
])('an excerpt of %i characters (ellipsis: %j) is the plain text', (max, withEllipsis, value, excerpt) => expect(excerptOf(value, { max, withEllipsis })).toBe(excerpt))
