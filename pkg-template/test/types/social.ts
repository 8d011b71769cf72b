// Typed documents, with the type that each expression must have. Checked by tsc, never run.

import type { DocText, DocValue, VivimDocument, VivimError } from 'vivim-wasm'
import {
  CircleCRDT, ConversationCRDT, FollowCRDT, FriendCRDT, GroupCRDT, ProfileCRDT, SettingsCRDT, TeamCRDT,
  type Annotation, type Branch, type ChannelData, type ChannelMember, type ChannelMessageData, type CircleCapability,
  type CircleInvitation, type CircleMember, type CirclePost, type CircleRole, type CircleSettings, type ContentRef,
  type FollowData, type FriendData, type FriendSettings, type GroupMemberData, type GroupPostData, type GroupSettings,
  type JoinRequest, type Message, type Participant, type ParticipantRole, type PendingRequest, type SocialChange,
  type TeamMemberData, type TeamSettings,
} from 'vivim-wasm/social'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Compiles only if the value has exactly this type; `any` is never exactly a type. */
function is<Expected>() {
  return <Actual>(_value: Actual, _same: Same<Actual, Expected>): void => undefined
}

export function conversations(doc: VivimDocument): void {
  const conversation = new ConversationCRDT(doc, { did: 'did:key:ann', now: () => 1, newId: () => 'id' })
  // @ts-expect-error nobody does anything nameless
  new ConversationCRDT(doc, {})
  is<VivimDocument>()(conversation.doc, true)
  is<DocText>()(conversation.title, true)
  is<Message[]>()(conversation.messages, true)
  is<ReadonlyMap<string, Participant>>()(conversation.participants, true)
  is<{ [key: string]: DocValue }>()(conversation.metadata, true)
  conversation.create({ displayName: 'Ann' })
  is<string>()(conversation.addMessage({ content: 'hello', type: 'image', parentId: 'm' }), true)
  // @ts-expect-error a message says something
  conversation.addMessage({ id: 'm' })
  // @ts-expect-error there is no such type
  conversation.addMessage({ content: 'x', type: 'video' })
  conversation.removeMessage('m')
  conversation.deleteMessage('m')
  conversation.editMessage('m', 'x')
  conversation.addParticipant({ did: 'did:key:bob', role: 'moderator' })
  conversation.updateParticipant('bob', { role: 'member', avatar: null })
  // @ts-expect-error circles have admins, conversations have none
  conversation.updateParticipant('bob', { role: 'admin' })
  conversation.updateMetadata('key', [1])
  conversation.setMetadata('key', { a: null })
  is<DocValue | undefined>()(conversation.getMetadata('key'), true)
  is<{ [key: string]: DocValue }>()(conversation.getMetadata(), true)
  is<Branch[]>()(conversation.getBranches(), true)
  is<Annotation[]>()(conversation.getAnnotations('m'), true)
  is<ParticipantRole | null>()(conversation.getRole('did:key:bob'), true)
  is<VivimError | undefined>()(conversation.refusal('setTitle', { title: 'x' }), true)
  is<() => void>()(conversation.on('messages:change', change => is<SocialChange>()(change, true)), true)
  // @ts-expect-error there is no such event
  conversation.on('posts:change', () => undefined)
}

export function circles(doc: VivimDocument): void {
  const circle = new CircleCRDT(doc, { did: 'did:key:ann' })
  is<ReadonlyMap<string, CircleMember>>()(circle.members, true)
  is<CirclePost[]>()(circle.posts, true)
  is<CircleSettings>()(circle.settings, true)
  is<ContentRef[]>()(circle.getContentRefs(), true)
  is<CircleInvitation[]>()(circle.getInvitations(), true)
  is<CircleCapability[]>()(circle.getCapabilities(), true)
  is<CircleRole | null>()(circle.getRole('x'), true)
  circle.addMember({ did: 'did:key:bob', permissions: { invite: true } })
  circle.updateMember('bob', { role: 'viewer', permissions: { write: false } })
  circle.updateSettings({ maxMembers: null, visibility: 'public' })
  // @ts-expect-error there is no such policy
  circle.updateSettings({ sharingPolicy: 'everybody' })
  circle.on('content:change', () => undefined)
}

export function pairs(doc: VivimDocument): void {
  const friends = new FriendCRDT(doc, { did: 'did:key:ann' })
  is<ReadonlyMap<string, FriendData>>()(friends.friends, true)
  is<ReadonlyMap<string, PendingRequest>>()(friends.pendingRequests, true)
  is<string>()(friends.sendRequest({ addresseeDid: 'did:key:bob' }), true)
  // @ts-expect-error nobody becomes a friend without being asked
  friends.addFriend({ addresseeDid: 'did:key:bob', status: 'accepted' })
  friends.updateFriendStatus('id', 'blocked')
  is<boolean>()(friends.areFriends('a', 'b'), true)
  is<FriendSettings>()(friends.getSettings(), true)

  const follows = new FollowCRDT(doc, { did: 'did:key:ann' })
  is<string>()(follows.addFollow({ followingDid: 'did:key:bob', notifyOnPost: true }), true)
  is<FollowData[]>()(follows.getFollowers('did:key:bob'), true)
  follows.updateNotificationSettings('id', true, false)
  is<number>()(follows.getFollowerCount(), true)
}

export function groups(doc: VivimDocument): void {
  const group = new GroupCRDT(doc, { did: 'did:key:ann' })
  is<ReadonlyMap<string, GroupMemberData>>()(group.members, true)
  is<GroupPostData[]>()(group.posts, true)
  is<GroupSettings>()(group.settings, true)
  is<GroupMemberData | undefined>()(group.getMember('did:key:bob'), true)
  is<'joined' | 'requested'>()(group.join(), true)
  is<JoinRequest[]>()(group.getJoinRequests(), true)
  group.updateMemberRole('bob', 'moderator')
  is<string>()(group.addPost({ content: 'x', contentType: 'link', likeCount: 0 }), true)

  const team = new TeamCRDT(doc, { did: 'did:key:ann' })
  is<ReadonlyMap<string, TeamMemberData>>()(team.members, true)
  is<ReadonlyMap<string, ChannelData>>()(team.channels, true)
  is<TeamSettings>()(team.settings, true)
  is<ChannelMessageData[]>()(team.getMessages('general'), true)
  is<ChannelMember[]>()(team.getChannelMembers('general'), true)
  team.updateMemberTitle('bob', null)
  team.updateMemberRole('bob', 'guest')
  // @ts-expect-error teams have no moderators
  team.updateMemberRole('bob', 'moderator')
  team.updateChannelMember('general', { mute: true, lastReadAt: 1 })
  team.addReaction('m', '👍')
}

export function own(doc: VivimDocument): void {
  const profile = new ProfileCRDT(doc, { did: 'did:key:ann' })
  is<DocText>()(profile.displayName, true)
  is<string | null>()(profile.getDid(), true)
  is<string[]>()(profile.getCircles(), true)
  profile.setAvatar({ url: 'x', alt: null })

  const settings = new SettingsCRDT(doc, { did: 'did:key:ann' })
  is<DocValue | undefined>()(settings.get('theme'), true)
  settings.update({ theme: 'dark', size: 12 })
}
