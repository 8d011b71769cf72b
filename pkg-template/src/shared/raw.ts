// How the module names shared types.

/** Which kind of shared type a handle stands for; the module's numbers. */
export const Kind = { text: 1, map: 2, array: 3, xmlFragment: 4, xmlElement: 5, xmlText: 6 } as const
export type Kind = (typeof Kind)[keyof typeof Kind]

/** A shared type of one document, as a number that is its own for as long as the document is open. */
export type Handle = number
