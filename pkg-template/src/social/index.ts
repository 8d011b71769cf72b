// The package's entry `vivim-wasm/social`: typed documents.

export { CircleCRDT } from './circle.js'
export { ConversationCRDT } from './conversation.js'
export { FollowCRDT } from './follow.js'
export { FriendCRDT } from './friend.js'
export { GroupCRDT } from './group.js'
export { ProfileCRDT } from './profile.js'
export { SettingsCRDT } from './settings.js'
export { TeamCRDT } from './team.js'
export type { Adding, Changes, SocialChange, SocialDocument, SocialOptions } from './base.js'
export type {
  CircleAuditEntry, CircleCapability, CircleEvent, CircleInvitation, CircleMember, CirclePermissions, CirclePost, CircleRole,
  CircleSettings, ContentRef,
} from './circle.js'
export type {
  Annotation, AnnotationType, Branch, ConversationEvent, Message, MessageType, Participant, ParticipantRole,
} from './conversation.js'
export type { FollowData, FollowEvent, FollowStatus } from './follow.js'
export type { Block, FriendData, FriendEvent, FriendSettings, FriendStatus, PendingRequest } from './friend.js'
export type {
  GroupComment, GroupContentType, GroupEvent, GroupMemberData, GroupPostData, GroupRole, GroupSettings,
} from './group.js'
export type { JoinableDocument, JoinRequest, MembersDocument } from './members.js'
export type { ProfileData, ProfileEvent } from './profile.js'
export type { SettingsEvent } from './settings.js'
export type {
  ChannelData, ChannelMember, ChannelMessageData, ChannelType, TeamEvent, TeamMemberData, TeamRole, TeamSettings,
} from './team.js'
