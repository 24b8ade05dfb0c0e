import { z } from 'zod'
import { Timestamp } from './ids.ts'

/** An address as it is kept, without slashes at its end; null where it is none that a model can be asked at. */
export function modelAddress(text: string): string | null {
  const url = URL.parse(text)
  const fits = url !== null && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.search && !url.hash
  return fits ? url.href.replace(/\/+$/, '') : null
}

/** The language model that a workspace's steps ask where they name none. Its key is shown to nobody. */
export const ModelSettings = z.object({
  from: z.enum(['workspace', 'operator', 'offline']).meta({ description: "Whose it is: the workspace's, else that of who operates the server, else the built-in offline one" }),
  url: z.string().nullable().meta({ description: 'Of its endpoint, where that is of the workspace' }),
  model: z.string().meta({ description: 'Its name at the endpoint' }),
  hasKey: z.boolean().meta({ description: 'Whether the workspace gave a key along' }),
  updated: Timestamp.nullable(),
})
export type ModelSettings = z.infer<typeof ModelSettings>

export const SetModel = z.strictObject({
  url: z
    .string()
    .max(2_000)
    .refine((text) => modelAddress(text) !== null, 'expected an http or https address such as https://api.openai.com/v1, without credentials, query or fragment')
    .meta({ description: "An endpoint that speaks OpenAI's chat completions: what stands before `/chat/completions`. Private addresses are those that the operator allows" }),
  model: z
    .string()
    .min(1)
    .max(200)
    .refine((name) => name !== 'offline', 'offline is the built-in one: remove the setting, or name it in a step')
    .meta({ description: 'Its name at the endpoint' }),
  key: z
    .string()
    .regex(/^[\x21-\x7e]{1,4096}$/, 'expected the key as it was given, without spaces')
    .nullable()
    .optional()
    .meta({ description: 'Encrypted, and never shown again; null: the endpoint asks for none; unset: the one that is kept, of the same address' }),
})
export type SetModel = z.infer<typeof SetModel>
