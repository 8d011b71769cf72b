// For applications with a Y.Doc of their own. Only this entry imports yjs and y-protocols, which are
// the application's own copies: two copies of yjs in one page don't understand each other.

export { randomRoomName, roomLink, roomNameFromLink } from './links.js'
export {
  VivimProvider, type ProviderEvents, type ProviderOptions, type ProviderStatus, type SyncStatus,
} from './provider.js'
