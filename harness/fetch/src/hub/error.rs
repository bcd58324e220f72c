//! Why a model of a hub could not be had; each message names the thing and the next step.

use std::path::PathBuf;

use clmbench_protocol::checkpoint_files::Unread;

/// Files that a checkpoint needs at least, for who places them by hand.
pub(super) const NEEDED: &str = "config.json, model.safetensors and tokenizer.json (or the vocabulary files)";

/// Why a model of a hub could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// Not `owner/name`.
    #[error(
        "`{text}` names no model of a hub: {why}; write owner/name or owner/name@REVISION, such as sagawa/molscaletransfer-chemlm-0.06m@main"
    )]
    BadName {
        /// What was written, shortened.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A revision that no hub has.
    #[error(
        "`{revision}` is no revision of {repo}: write a commit (40 hex digits), a branch or a tag of letters, digits and . _ - /"
    )]
    BadRevision {
        /// The model.
        repo: String,
        /// What was written, shortened.
        revision: String,
    },
    /// `HF_ENDPOINT` is no address that is fetched from.
    #[error("HF_ENDPOINT={value} is refused: {why}; write an address such as https://huggingface.co, or unset it")]
    BadEndpoint {
        /// What it says, without user and query.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// `HF_TOKEN` cannot be sent. It is never shown.
    #[error("HF_TOKEN holds characters that no token has (only visible ASCII is sent): correct it, or unset it")]
    BadToken,
    /// The hub cannot be asked.
    #[error(
        "{repo}@{revision} is not in the cache and {why}: {next}, or put {NEEDED} of it into {}; `[[checkpoint]] path = \"FOLDER\"` \
         takes any folder of them", folder.display()
    )]
    OutOfReach {
        /// The model.
        repo: String,
        /// Its revision.
        revision: String,
        /// Why.
        why: String,
        /// What would help.
        next: String,
        /// Where its files may be placed by hand.
        folder: PathBuf,
    },
    /// An address did not deliver.
    #[error("{url} did not deliver: {detail}. Run this again: it goes on where it stopped")]
    Undelivered {
        /// The address.
        url: String,
        /// Why.
        detail: String,
    },
    /// No such model.
    #[error(
        "there is no model {repo} at {endpoint}, or it is private: correct the name, or set HF_TOKEN to a token that may read it"
    )]
    NoModel {
        /// The model.
        repo: String,
        /// The hub.
        endpoint: String,
    },
    /// No such revision.
    #[error(
        "{repo} has no revision `{revision}`: write one of its branches, tags or commits (40 hex digits), which {endpoint}/{repo}/commits/main \
         lists"
    )]
    NoRevision {
        /// The model.
        repo: String,
        /// The revision.
        revision: String,
        /// The hub.
        endpoint: String,
    },
    /// Only for those who have accepted its terms.
    #[error("{repo} is given only to those who may read it ({detail}): open {endpoint}/{repo}, accept its terms there, and {}",
        if *with_token { "set HF_TOKEN to a token that may read it (the one that is set may not)" }
        else { "set HF_TOKEN to a token of yours" })]
    Gated {
        /// The model.
        repo: String,
        /// The hub.
        endpoint: String,
        /// What the hub said.
        detail: String,
        /// Whether a token was sent.
        with_token: bool,
    },
    /// An answer of the hub that cannot be meant.
    #[error("{url} gives no listing of a model: {detail}; nothing of it is taken")]
    BadListing {
        /// Address asked.
        url: String,
        /// What is wrong.
        detail: String,
    },
    /// A name in a listing that must not become a file.
    #[error("{repo} lists `{name}`, which {why}; nothing of it is taken. Do not use this model")]
    UnsafeName {
        /// The model.
        repo: String,
        /// Name in the listing, shortened.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The weights are there as pickle alone.
    #[error(
        "{repo}@{commit} has its weights only as pickle (`{file}`), which can run code when it is read, and is never read here. A safetensors \
         copy may wait as a proposal: look at {endpoint}/{repo}/discussions, and write {repo}@refs/pr/N for number N. Or convert it where you \
         trust it: `python -c \"from transformers import AutoModelForMaskedLM as M, AutoTokenizer as T; \
         M.from_pretrained('{repo}').save_pretrained('DIR'); T.from_pretrained('{repo}').save_pretrained('DIR')\"`, and give DIR"
    )]
    Pickle {
        /// The model.
        repo: String,
        /// The commit.
        commit: String,
        /// One of the files.
        file: String,
        /// The hub.
        endpoint: String,
    },
    /// The weights are there in the form of another library alone.
    #[error(
        "{repo}@{commit} has its weights only in the form of {} (`{file}`), which is not read here. Convert it once, with version 4 of \
         `transformers`: `python -c \"from transformers import AutoModelForMaskedLM as M, AutoTokenizer as T; \
         M.from_pretrained('{repo}'{}).save_pretrained('DIR'); T.from_pretrained('{repo}').save_pretrained('DIR')\"`, and give DIR",
        form.name(), form.option()
    )]
    Unread {
        /// The model.
        repo: String,
        /// The commit.
        commit: String,
        /// One of the files.
        file: String,
        /// Its form.
        form: Unread,
    },
    /// A file that every checkpoint has is not listed.
    #[error("{repo}@{commit} has no {file}, so it is no checkpoint that can be read: name another model or revision")]
    Lacks {
        /// The model.
        repo: String,
        /// The commit.
        commit: String,
        /// What is missing.
        file: &'static str,
    },
    /// A file, or all of them, is larger than is taken.
    #[error("{what} of {repo} has {bytes} bytes, but at most {most} are taken: name another model or revision")]
    TooLarge {
        /// The model.
        repo: String,
        /// Name of the file, or `the whole`.
        what: String,
        /// Listed size.
        bytes: u64,
        /// What is taken.
        most: u64,
    },
    /// A file is not the one that the hub lists.
    #[error(
        "{file} of {repo} has {kind} {found}, but the hub lists {expected}; it was removed. Run this again; if it comes back, the source is not \
         to be trusted"
    )]
    WrongDigest {
        /// The model.
        repo: String,
        /// Name of the file.
        file: String,
        /// `SHA-256` or `git SHA-1`.
        kind: &'static str,
        /// Listed, lower-case hex.
        expected: String,
        /// Found, lower-case hex.
        found: String,
    },
}

impl HubError {
    /// Whether it is what was asked for that is wrong: another network would not help.
    pub fn is_of_the_asker(&self) -> bool {
        matches!(
            self,
            Self::BadName { .. }
                | Self::BadRevision { .. }
                | Self::NoModel { .. }
                | Self::NoRevision { .. }
                | Self::Pickle { .. }
                | Self::Unread { .. }
                | Self::Lacks { .. }
                | Self::TooLarge { .. }
        )
    }
}
