//! Leaderboards and statuses as terminal tables.
