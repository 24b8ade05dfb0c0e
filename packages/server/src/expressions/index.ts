export { compileCel, type Cel } from './cel.ts'
export { ExpressionError } from './error.ts'
export { Recent } from './recent.ts'
export { compileTemplate, type Template } from './template.ts'
