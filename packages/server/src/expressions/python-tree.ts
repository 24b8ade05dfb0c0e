/** A condition in Python, parsed. Names are gone: there is only `data`, and what is called is known. */

export type PythonExpression =
  | { is: 'constant'; value: string | number | boolean | null; float?: true }
  | { is: 'data' }
  | { is: 'list' | 'tuple'; parts: readonly PythonExpression[] }
  | { is: 'dict'; entries: readonly (readonly [PythonExpression, PythonExpression])[] }
  | { is: 'item'; of: PythonExpression; key: PythonExpression }
  | { is: 'attribute'; of: PythonExpression; name: string }
  | { is: 'slice'; of: PythonExpression; places: readonly (PythonExpression | null)[] }
  | { is: 'method'; of: PythonExpression; name: string; args: readonly PythonExpression[] }
  | { is: 'call'; name: string; args: readonly PythonExpression[] }
  | { is: 'sign'; of: PythonExpression; sign: 1 | -1 }
  | { is: 'not'; of: PythonExpression }
  /** Two or more. */
  | { is: 'and' | 'or'; parts: readonly PythonExpression[] }
  | { is: 'arithmetic'; operator: string; left: PythonExpression; right: PythonExpression }
  /** One or more comparisons in a row: each part is looked at once. */
  | { is: 'compare'; first: PythonExpression; rest: readonly (readonly [operator: string, PythonExpression])[] }
  | { is: 'choice'; when: PythonExpression; value: PythonExpression; otherwise: PythonExpression }
