import type { Login, Me, Refresh, Renew, RenewedToken, SetPassword, SwitchWorkspace, Ticket, TokenPair, User } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import type { Input } from '../input.ts'
import type { CallOptions } from '../options.ts'

/** Who asks. `Client` is a client of its own, for whoever has logged in. */
export interface Auth<Client> {
  /** A client that acts as this user, and renews its tokens by itself; this one stays as it is. Throws `UnauthenticatedError` (`login_failed`), `RateLimitedError`. */
  login(as: Input<typeof Login>, options?: CallOptions): Promise<Client>
  /**
   * New tokens for a refresh token, which works once: a client with tokens does this by itself. One whose answer was lost is
   * sent again, and taken for a minute. Throws `UnauthenticatedError` (`credential_invalid`): the login is over.
   */
  refresh(by: Input<typeof Refresh>, options?: CallOptions): Promise<TokenPair>
  /**
   * Another token of the same login, where there is no refresh token: for a day, or as long as asked for, and never past the seventh
   * day after a password or a refresh token was shown. Not with a key. Throws `UnauthenticatedError` (`credential_invalid`).
   */
  renew(by?: Input<typeof Renew>, options?: CallOptions): Promise<RenewedToken>
  /** Sets a password by the token of an invitation or a reset, which works once. Throws `UnauthenticatedError` for one that does not. */
  setPassword(by: Input<typeof SetPassword>, options?: CallOptions): Promise<User>
  /** A client of the same user in another workspace, by its id or handle, for as long as this login can be renewed; not with a key. Throws `NotFoundError` (`workspace_missing`). */
  switch(to: Input<typeof SwitchWorkspace>, options?: CallOptions): Promise<Client>
  /** Ends the login of this client with all its tokens, within seconds; other logins of the user stay. Not with a key. */
  leave(options?: CallOptions): Promise<void>
  /** Ends every token of the user, everywhere, within seconds; keys stay. */
  logout(options?: CallOptions): Promise<void>
  /** Who asks, in which workspace, as what and by which credential. Throws `UnauthenticatedError`. */
  me(options?: CallOptions): Promise<Me>
  /** Opens one socket or stream, once, within 30 seconds, where no header can be sent. */
  ticket(options?: CallOptions): Promise<Ticket>
}

/** `anonymous` goes without a credential: one that has died must not keep anybody from logging in. */
export const authOf = <Client>({ read, write, repeat }: Calls, anonymous: Calls, signedIn: (tokens: TokenPair) => Client): Auth<Client> => ({
  login: async (as, options) => signedIn(await anonymous.repeat<TokenPair>('auth.login', as, options)),
  refresh: (by, options) => anonymous.repeat('auth.refresh', by, options),
  renew: (by, options) => repeat('auth.renew', by, options),
  setPassword: (by, options) => anonymous.write('auth.setPassword', by, options),
  switch: async (to, options) => signedIn(await write<TokenPair>('auth.switch', to, options)),
  leave: (options) => write('auth.leave', undefined, options),
  logout: (options) => write('auth.logout', undefined, options),
  me: (options) => read('auth.me', undefined, options),
  ticket: (options) => write('auth.ticket', undefined, options),
})
