//! From the record to fits, verdicts and leaderboards.
