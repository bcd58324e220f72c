//! The hub that is asked, and the token that it alone is told.

use std::{env, fmt};

use super::HubError;
use crate::{FetchError, address};

/// The hub where `HF_ENDPOINT` names none.
const DEFAULT: &str = "https://huggingface.co";

/// A secret of the user's. It is sent to the hub's own server, and never shown.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A token.
    ///
    /// # Errors
    /// [`HubError::BadToken`] for one that cannot stand in a header.
    pub fn new(text: &str) -> Result<Self, FetchError> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(HubError::BadToken.into());
        }
        Ok(Self(text.to_owned()))
    }

    /// What is sent.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(not shown)")
    }
}

/// The address of a hub without a `/` at its end, and the token for it.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub base: String,
    pub token: Option<Token>,
}

impl Endpoint {
    /// As `HF_ENDPOINT` and `HF_TOKEN` say.
    pub fn from_environment() -> Result<Self, FetchError> {
        let set = |name: &str| env::var(name).ok().filter(|text| !text.trim().is_empty());
        let token = set("HF_TOKEN").map(|text| Token::new(&text)).transpose()?;
        Self::new(set("HF_ENDPOINT").as_deref().unwrap_or(DEFAULT), token)
    }

    /// # Errors
    /// [`HubError::BadEndpoint`] for what is neither https nor this machine itself.
    pub fn new(base: &str, token: Option<Token>) -> Result<Self, FetchError> {
        let base = base.trim().trim_end_matches('/');
        let refused = |why| Err(HubError::BadEndpoint { value: address::public(base), why }.into());
        if base.contains(['?', '#', '@']) {
            return refused("it is more than a server and a path");
        }
        if !address::is_safe(base) {
            return refused("only https is asked, and http of this machine itself");
        }
        Ok(Self { base: base.to_owned(), token })
    }

    /// `/api/models/<repo>/revision/<revision>`.
    pub fn revision(&self, repo: &str, revision: &str) -> String {
        format!("{}/api/models/{repo}/revision/{}", self.base, revision.replace('/', "%2F"))
    }

    /// `/api/models/<repo>/tree/<commit>`: the top folder alone.
    pub fn tree(&self, repo: &str, commit: &str) -> String {
        format!("{}/api/models/{repo}/tree/{commit}", self.base)
    }

    /// `/<repo>/resolve/<commit>/<name>`.
    pub fn file(&self, repo: &str, commit: &str, name: &str) -> String {
        format!("{}/{repo}/resolve/{commit}/{name}", self.base)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn endpoints_are_https_or_this_machine() {
        let base = |text| Endpoint::new(text, None).map(|endpoint| endpoint.base);
        assert_eq!(base(" https://hf.example.org/hub/ ").unwrap(), "https://hf.example.org/hub");
        assert_eq!(base("http://127.0.0.1:80").unwrap(), "http://127.0.0.1:80");
        assert_eq!(
            base("http://hf.example.org").unwrap_err().to_string(),
            "HF_ENDPOINT=http://hf.example.org is refused: only https is asked, and http of this machine itself; write an address such as \
             https://huggingface.co, or unset it"
        );
        for wrong in ["file:///etc", "huggingface.co", "", "https://"] {
            assert!(base(wrong).is_err(), "{wrong}");
        }
        let said = base("https://user:word@a.org").unwrap_err().to_string();
        assert!(said.contains("it is more than a server and a path") && !said.contains("word@"), "{said}");
        let endpoint = Endpoint::new("https://a.org", None).unwrap();
        assert_eq!(endpoint.revision("o/n", "refs/pr/1"), "https://a.org/api/models/o/n/revision/refs%2Fpr%2F1");
    }

    #[test]
    fn a_token_is_never_shown() {
        let token = Token::new(" hf_secret\n").unwrap();
        assert_eq!((token.bearer().as_str(), format!("{token:?}").as_str()), ("Bearer hf_secret", "Token(not shown)"));
        let said = Token::new("hf_secret\r\nx: y").unwrap_err().to_string();
        assert!(!said.contains("secret"), "{said}");
    }
}
