/**
 * The exit codes of the primary of an app that its daemon acts on. Others only tell a reader of the log what happened.
 *
 * Used by  app_primary.ts, daemon/app.ts
 */

/** Another process has the control socket. EX_TEMPFAIL of sysexits.h. */
export const EXIT_TAKEN = 75;
