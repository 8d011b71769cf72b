import type { VivimDocument } from '../document.js'
import type { DocValue } from '../types.js'
import { byField, type Adding, type Changes, type SocialOptions } from './base.js'
import { JoinableDocument } from './members.js'

export type TeamRole = 'owner' | 'admin' | 'member' | 'guest'

/** A member of a team. */
export interface TeamMemberData {
  id: string
  userDid: string
  displayName: string
  avatar?: string
  role: TeamRole
  title?: string
  /** Default false. */
  notifyAll: boolean
  /** Default true. */
  notifyMentions: boolean
  /** Counted from the messages. */
  messageCount: number
  lastActiveAt?: number
  joinedAt: number
  /** By whom; a DID. */
  addedBy?: string
  metadata: { [key: string]: DocValue }
}

export type ChannelType = 'public' | 'private' | 'direct'

/** A channel of a team. */
export interface ChannelData {
  id: string
  name: string
  description?: string
  type: ChannelType
  sortOrder: number
  /** Those who were added or have joined. */
  memberCount: number
  /** Counted from the messages. */
  messageCount: number
  createdAt: number
  updatedAt: number
  createdBy: string
  metadata: { [key: string]: DocValue }
}

/** Somebody in a channel. */
export interface ChannelMember {
  channelId: string
  userDid: string
  /** Default true. */
  notify: boolean
  /** Default false. */
  mute: boolean
  lastReadAt?: number
}

/** A message in a channel. */
export interface ChannelMessageData {
  id: string
  channelId: string
  authorDid: string
  content: string
  contentType: string
  /** The message whose thread it belongs to. */
  parentId?: string
  editedAt?: number
  /** Who reacted how: DIDs by emoji. */
  reactions: { [emoji: string]: string[] }
  createdAt: number
  metadata: { [key: string]: DocValue }
}

export interface TeamSettings {
  /** Whether everybody may join, or those who are added. Default `invite`. */
  visibility: 'open' | 'invite'
  /** Default `project`. */
  type: 'work' | 'project' | 'personal'
  /** Whether there may be guests. Default false. */
  allowGuestAccess: boolean
  /** Whether joining is asking first. Default true. */
  requireApproval: boolean
  maxMembers?: number
}

export type TeamEvent =
  | 'team:change' | 'members:change' | 'channels:change' | 'messages:change' | 'settings:change' | 'requests:change'

type ChannelFields = Pick<ChannelData, 'name' | 'description' | 'sortOrder' | 'metadata'>

/**
 * A team: members, channels, and what is said in them. It begins with a public channel `general`. What
 * the rules don't allow throws `REFUSED`.
 *
 * Until channels have keys of their own, a private channel is private by agreement: whoever has the
 * document can read all of it.
 */
export class TeamCRDT extends JoinableDocument<TeamEvent, TeamMemberData, TeamRole> {
  constructor(doc: VivimDocument, options: SocialOptions) {
    super('team', doc, options)
  }

  /** All members by id. */
  get members(): ReadonlyMap<string, TeamMemberData> {
    return byField(this.getMembers(), 'id')
  }

  /** All channels by id, in their order. */
  get channels(): ReadonlyMap<string, ChannelData> {
    return byField(this.getChannels(), 'id')
  }

  /** All settings, see {@link getSettings}. */
  get settings(): TeamSettings {
    return this.getSettings()
  }

  getName(): string {
    return this.view('name')
  }

  /** Edits the name into this one. Edits of others at the same time stay, too. */
  setName(name: string): void {
    this.run('setName', { name })
  }

  getDescription(): string {
    return this.view('description')
  }

  /** Edits the description into this one. Edits of others at the same time stay, too. */
  setDescription(description: string): void {
    this.run('setDescription', { description })
  }

  /** Changes a member's title, by id or DID; null takes it away. */
  updateMemberTitle(id: string, title: string | null): void {
    this.run('updateMember', { id, changes: { title } })
  }

  /** All channels by their sort order. */
  getChannels(): ChannelData[] {
    return this.view('channels')
  }

  getChannel(id: string): ChannelData | undefined {
    return this.getChannels().find(channel => channel.id === id)
  }

  getChannelCount(): number {
    return this.getChannels().length
  }

  /** Makes a channel and joins it; gives its id. Guests may not. */
  addChannel(channel: Adding<ChannelData, 'name'>): string {
    return this.runWithId('addChannel', 'channel', channel)
  }

  /** Renames or moves a channel: its creator may, and admins and the owner. */
  updateChannel(id: string, changes: Changes<ChannelFields>): void {
    this.run('updateChannel', { id, changes })
  }

  /** Removes a channel with its messages: its creator may, and admins and the owner. */
  removeChannel(id: string): void {
    this.run('removeChannel', { id })
  }

  getChannelMembers(channelId: string): ChannelMember[] {
    return this.view('channelMembers', { id: channelId })
  }

  /** Adds a member of the team to a channel. */
  addChannelMember(channelId: string, did: string): void {
    this.run('addChannelMember', { id: channelId, did })
  }

  removeChannelMember(channelId: string, did: string): void {
    this.run('removeChannelMember', { id: channelId, did })
  }

  /** Joins a public channel. Posting there does so, too. */
  joinChannel(channelId: string): void {
    this.run('joinChannel', { id: channelId })
  }

  leaveChannel(channelId: string): void {
    this.run('leaveChannel', { id: channelId })
  }

  /** Changes one's own notifications of a channel, and how far one has read. */
  updateChannelMember(channelId: string, changes: Changes<Pick<ChannelMember, 'notify' | 'mute' | 'lastReadAt'>>): void {
    this.run('updateChannelMember', { id: channelId, changes })
  }

  /** The messages of a channel in their order. */
  getMessages(channelId: string): ChannelMessageData[] {
    return this.view('messages', { id: channelId })
  }

  /** The answers to a message in their order. */
  getThread(messageId: string): ChannelMessageData[] {
    return this.view('thread', { id: messageId })
  }

  /** How many messages there are, in a channel or altogether. */
  getMessageCount(channelId?: string): number {
    return this.view('messageCount', { id: channelId })
  }

  /** Appends a message in one's own name; gives its id. */
  addMessage(message: Adding<ChannelMessageData, 'channelId' | 'content'>): string {
    return this.runWithId('addMessage', 'message', message)
  }

  /** Changes what one has written. */
  editMessage(id: string, content: string): void {
    this.run('editMessage', { id, content })
  }

  /** Removes a message: its author may, and admins and the owner. */
  deleteMessage(id: string): void {
    this.run('deleteMessage', { id })
  }

  /** The same as {@link deleteMessage}. */
  removeMessage(id: string): void {
    this.deleteMessage(id)
  }

  addReaction(messageId: string, emoji: string): void {
    this.run('addReaction', { id: messageId, emoji })
  }

  /** Takes one's own reaction back. */
  removeReaction(messageId: string, emoji: string): void {
    this.run('removeReaction', { id: messageId, emoji })
  }

  getSettings(): TeamSettings {
    return this.view('settings')
  }

  /** Changes some settings, each for itself. Null takes the limit of members away. */
  updateSettings(settings: Changes<TeamSettings>): void {
    this.run('updateSettings', { changes: settings })
  }

  /** Whether the author may read a channel, for applications that hand content out. */
  canSee(channelId: string): boolean {
    return this.refusal('see', { id: channelId }) === undefined
  }

  /** Deletes the team, for everybody and for good. Only the owner may. */
  deleteTeam(): void {
    this.deleteAll()
  }
}
