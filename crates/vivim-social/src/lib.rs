//! Conversations, circles, friends, follows, groups, teams, profiles and settings as documents.
