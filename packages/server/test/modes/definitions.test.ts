import { describe, expect, test } from 'vitest'
import { actionplan } from '../../src/modes/actionplan.ts'
import { react } from '../../src/modes/react.ts'
import { createModels } from '../../src/models/models.ts'
import { createCatalogue } from '../../src/nodes/catalogue.ts'
import { createOutside } from '../../src/outside/outside.ts'
import { createSandbox } from '../../src/sandbox/sandbox.ts'
import { hashOf } from '../../src/workflows/canonical.ts'
import { validate } from '../../src/workflows/validate.ts'

const outside = createOutside({ allow: [] })
const catalogue = createCatalogue({ outside, sandbox: createSandbox(), models: createModels({ configured: null, outside }) })

describe.each([
  ['Actionplan', actionplan],
  ['React', react],
])('the workflow of the mode %s', (_mode, { definition }) => {
  test('is valid', () => {
    expect(validate(definition, catalogue)).toEqual([])
  })
})

test('a workflow of a mode that is another has another edition: workspaces take it over by that', () => {
  expect({ Actionplan: [actionplan.edition, hashOf(actionplan.definition).slice(0, 12)], React: [react.edition, hashOf(react.definition).slice(0, 12)] }).toMatchInlineSnapshot(`
    {
      "Actionplan": [
        1,
        "226015846565",
      ],
      "React": [
        1,
        "51b5a735a61f",
      ],
    }
  `)
})
